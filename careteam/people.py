"""Who somebody is to others."""

from typing import Any

ANONYMOUS = "Anonymous"


def name_of(user: Any) -> str:
    """Return the name under which others see `user`."""
    name: str = user.get_username() if user.is_authenticated else ANONYMOUS
    return name


def person_of(context: Any) -> str:
    """Return who is behind `info.context`: the same on all sockets of a user.

    Of those without a name each socket is somebody else.
    """
    user = context.user
    return f"user:{user.pk}" if user.is_authenticated else f"socket:{context.channel_name}"
