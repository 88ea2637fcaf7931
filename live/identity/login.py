"""Logging in and out, over HTTP and over sockets."""

from django.contrib.auth import login as django_login
from django.contrib.auth import logout as django_logout
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from live.context import Context
from live.identity import login_throttle
from live.identity.identify import TOKEN_ID, kept_of, one_at_a_time
from live.identity.socket_request import socket_request
from live.identity.tokens import revoke_token
from live.models import AccessToken


def login(context: Context, *, username: str, password: str) -> bool:
    """Log the connection in and return True; False where the name or password is wrong.

    Raises RateLimited after too many failures. Sync: call it from a worker thread.
    """
    request = _request(context)
    user = login_throttle.authenticate(request, username=username, password=password)
    if user is None:
        return False
    with one_at_a_time(context.channels_scope):
        django_login(request, user)
        if context.channels_scope is not None:
            # Over HTTP, Django's middleware does it.
            request.session.save()
            context.channels_scope.pop(TOKEN_ID, None)
        context.user = user
    return True


def logout(context: Context) -> None:
    """Log the connection out: its session ends, or the access token that it came with.

    Sync: call it from a worker thread.
    """
    with one_at_a_time(context.channels_scope):
        _log_out(context)


def _log_out(context: Context) -> None:
    token_id = kept_of(context).pop(TOKEN_ID, None)
    if token_id is not None:
        # Else whoever holds a copy would stay logged in.
        for token in AccessToken.objects.filter(pk=token_id):
            revoke_token(token=token)
    django_logout(_request(context))
    context.user = AnonymousUser()


def _request(context: Context) -> HttpRequest:
    """Return what Django's log-in works on: the request, or one that stands for the socket."""
    if context.channels_scope is None:
        return context.request
    return socket_request(context.channels_scope)


def keeps_cookies(context: Context) -> bool:
    """Whether the client sent any cookie: one that did will keep its session's too."""
    if context.channels_scope is None:
        return bool(context.request.COOKIES)
    return any(name == b"cookie" for name, _ in context.channels_scope["headers"])
