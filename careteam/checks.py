"""Django system checks of this app's settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from careteam.conf import AT_MOST, DEFAULTS
from live.settings_check import problems


@register("careteam")
def check_settings(**_: Any) -> list[CheckMessage]:
    """Check `settings.CARETEAM`."""
    given = getattr(settings, "CARETEAM", {})
    found = problems("CARETEAM", given, DEFAULTS, choices={}, at_most=AT_MOST)
    return [
        Error(text, hint="careteam/conf.py has them all.", id="careteam.E001") for text in found
    ]
