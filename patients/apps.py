from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy


class PatientsConfig(AppConfig):
    """The domain: patients and the disease categories they are admitted under."""

    name = "patients"
    verbose_name = gettext_lazy("Patients")

    def ready(self) -> None:
        from patients import signals  # connects the receivers

        post_migrate.connect(signals.load_chapters, sender=self)
