"""What everybody may ask for, and what only some may: introspection."""

from typing import Any

from django.conf import settings

from live.conf import conf
from live.errors import Forbidden
from live.execution import Document


def may_introspect(user: Any) -> bool:
    """Whether `user` (a Django user or None) may read the schema; see LIVE["INTROSPECTION"]."""
    allowed = conf.INTROSPECTION or ("everyone" if settings.DEBUG else "staff")
    if allowed == "staff":
        return bool(user is not None and user.is_active and user.is_staff)
    return allowed == "everyone"


def check_introspection(document: Document, user: Any) -> None:
    """Raise Forbidden where the document introspects the schema and `user` may not."""
    if document.introspects and not may_introspect(user):
        raise Forbidden("Introspection is for staff only.")
