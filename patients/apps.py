from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PatientsConfig(AppConfig):
    """The domain: patients and the disease categories they are admitted under."""

    name = "patients"

    def ready(self) -> None:
        from patients import signals  # noqa: F401  connects the receivers
        from patients.icd10 import load_chapters

        post_migrate.connect(load_chapters, sender=self)
