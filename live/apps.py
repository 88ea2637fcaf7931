from django.apps import AppConfig


class LiveConfig(AppConfig):
    """The subscription engine; it knows no patient."""

    name = "live"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from live import checks, outage, revocation  # noqa: F401  the checks register themselves

        revocation.connect()
        connection_created.connect(outage.connected)
