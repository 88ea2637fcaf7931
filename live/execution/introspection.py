"""What everybody may ask for, and what only some may: introspection."""

from typing import Any

from django.conf import settings

from live.conf import conf
from live.errors import Forbidden


def may_introspect(user: Any) -> bool:
    """Whether `user` (a Django user or None) may read the schema; see LIVE["INTROSPECTION"]."""
    allowed = conf.INTROSPECTION or ("everyone" if settings.DEBUG else "staff")
    if allowed == "staff":
        return bool(user is not None and user.is_active and user.is_staff)
    return allowed == "everyone"


def check_introspection(introspects: bool, user: Any) -> None:
    """Raise Forbidden where a document introspects the schema and `user` may not."""
    if introspects and not may_introspect(user):
        raise Forbidden("Introspection is for staff only.")
