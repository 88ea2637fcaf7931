from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class CareTeamConfig(AppConfig):
    """What staff tell each other: chat rooms, who is present in them, and notices."""

    name = "careteam"
    verbose_name = gettext_lazy("Care team")

    def ready(self) -> None:
        from careteam import checks, signals  # noqa: F401  they register themselves
        from careteam.conf import closed_rooms_hook

        # Named wrongly, it would otherwise be missed by the first client only.
        closed_rooms_hook()
