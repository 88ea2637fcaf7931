from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class LiveConfig(AppConfig):
    """The subscription engine; it knows no patient."""

    name = "live"
    verbose_name = gettext_lazy("Access by programs")

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from live import checks  # noqa: F401  the checks register themselves
        from live.concurrency import outage
        from live.identity import revocation

        revocation.connect()
        connection_created.connect(outage.connected)
