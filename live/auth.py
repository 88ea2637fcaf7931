"""Checks for application authors: that a user is logged in, and has a permission."""

from typing import Any

from live.errors import Forbidden, Unauthenticated


def require_login(user: Any) -> None:
    """Raise Unauthenticated unless `user`, a Django user or None, is logged in."""
    if user is None or not user.is_authenticated:
        raise Unauthenticated()


def require_permission(user: Any, permission: str) -> None:
    """Raise Unauthenticated or Forbidden unless `user` has `permission` ("app.codename")."""
    require_login(user)
    if not user.has_perm(permission):
        raise Forbidden()
