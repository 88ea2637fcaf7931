"""Who is behind this connection, and what they may do."""

from typing import Any

import channels.auth
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.contrib.auth import login as django_login
from django.contrib.auth import logout as django_logout
from django.contrib.auth.models import AnonymousUser

from live.context import Context
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


def login(context: Context, *, username: str, password: str) -> bool:
    """Log the connection in and return True; False where the name or password is wrong.

    Sync: call it from a worker thread.
    """
    user = authenticate(context.get("request"), username=username, password=password)
    if user is None:
        return False
    if context.channels_scope is None:
        django_login(context.request, user)
    else:
        async_to_sync(channels.auth.login)(context.channels_scope, user)
        context.session.save()
    context.user = user
    return True


def logout(context: Context) -> None:
    """Log the connection out and end its session. Sync: call it from a worker thread."""
    if context.channels_scope is None:
        django_logout(context.request)
    else:
        async_to_sync(channels.auth.logout)(context.channels_scope)
    context.user = AnonymousUser()
