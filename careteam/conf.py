"""The app's settings: what the CARETEAM dict in Django's settings may hold, with the defaults."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

DEFAULTS: dict[str, Any] = {
    # Dotted path of a sync function that is given a logged-in user and returns the names of
    # the rooms that are closed to them; None closes none. Its module is imported at the start.
    "ROOM_ACCESS": None,
    # Rooms that everybody may read and write, whoever they are: not even logged in.
    "ANONYMOUS_ROOMS": (),
    # Characters of a message: a page of text.
    "MAX_TEXT_LENGTH": 2000,
    # Messages of one user in a minute: more than anybody types.
    "MESSAGES_PER_MINUTE": 60,
    # Rooms that one user may have written in within a day, and still make another.
    "ROOMS_PER_DAY": 50,
    # Characters of a room's name.
    "MAX_ROOM_NAME_LENGTH": 80,
    # Seconds after which a process that does not renew its lease is taken for dead, and who
    # was present by it for gone. It is renewed three times as often.
    "PRESENCE_LEASE_SECONDS": 30,
}
# What the database has room for.
AT_MOST: dict[str, str | int] = {"MAX_ROOM_NAME_LENGTH": 200}


class Conf:
    """Attribute access to the settings: `conf.MAX_TEXT_LENGTH`."""

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"CARETEAM has no setting {name!r}")
        return getattr(settings, "CARETEAM", {}).get(name, DEFAULTS[name])


conf = Conf()


def closed_rooms_hook() -> Callable[[Any], Iterable[str]]:
    """Return what ROOM_ACCESS names; raise ImproperlyConfigured where there is no such thing."""
    if conf.ROOM_ACCESS is None:
        return lambda user: ()
    try:
        hook: Callable[[Any], Iterable[str]] = import_string(str(conf.ROOM_ACCESS))
    except ImportError as error:
        raise ImproperlyConfigured(
            f"CARETEAM['ROOM_ACCESS'] must be the dotted path of a function, and "
            f"{conf.ROOM_ACCESS!r} cannot be imported: {error}."
        ) from error
    return hook
