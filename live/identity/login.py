"""Logging in and out, over HTTP and over sockets."""

from django.contrib.auth import login as django_login
from django.contrib.auth import logout as django_logout
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from live.context import Context
from live.identity import login_throttle
from live.identity.identify import TOKEN_ID, connection_state, identity_lock
from live.identity.socket_request import socket_request
from live.identity.tokens import revoke_token
from live.models import AccessToken


def login(context: Context, *, username: str, password: str) -> bool:
    """Log the connection in and return True, or False for a wrong name or password.

    Raises RateLimited after too many failures. Sync: call it from a worker thread.
    """
    request = _request(context)
    user = login_throttle.authenticate(request, username=username, password=password)
    if user is None:
        return False
    with identity_lock(context.channels_scope):
        django_login(request, user)
        if context.channels_scope is not None:
            # Over HTTP, Django's middleware saves it.
            request.session.save()
            context.channels_scope.pop(TOKEN_ID, None)
        context.user = user
    return True


def logout(context: Context) -> None:
    """Log the connection out: end its session, or the access token that it came with.

    Sync: call it from a worker thread.
    """
    with identity_lock(context.channels_scope):
        _log_out(context)


def _log_out(context: Context) -> None:
    token_id = connection_state(context).pop(TOKEN_ID, None)
    if token_id is not None:
        # Otherwise a copy of the token would still be valid.
        for token in AccessToken.objects.filter(pk=token_id):
            revoke_token(token=token)
    django_logout(_request(context))
    context.user = AnonymousUser()


def _request(context: Context) -> HttpRequest:
    """Return the request for Django's login(); a socket's is made for it."""
    if context.channels_scope is None:
        return context.request
    return socket_request(context.channels_scope)


def keeps_cookies(context: Context) -> bool:
    """Whether the client sent any cookie: then it will keep its session's too."""
    if context.channels_scope is None:
        return bool(context.request.COOKIES)
    return any(name == b"cookie" for name, _ in context.channels_scope["headers"])
