"""What application authors ask of a user: that there is one, and what they may do."""

from typing import Any

from live.errors import Forbidden, Unauthenticated


def require_login(user: Any) -> None:
    """Raise Unauthenticated where `user` (a Django user or None) is nobody."""
    if user is None or not user.is_authenticated:
        raise Unauthenticated()


def require_permission(user: Any, permission: str) -> None:
    """Raise Unauthenticated or Forbidden unless `user` has `permission` ("app.codename")."""
    require_login(user)
    if not user.has_perm(permission):
        raise Forbidden()
