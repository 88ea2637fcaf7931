from django.apps import AppConfig


class LiveConfig(AppConfig):
    """The subscription engine; it knows no patient."""

    name = "live"

    def ready(self) -> None:
        from live import checks, revocation  # noqa: F401  the checks register themselves

        revocation.connect()
