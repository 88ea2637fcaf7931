"""Who is behind a connection, at its beginning and later."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from live.concurrency.threads import Pool, in_worker_thread
from live.context import Context
from live.errors import BadInput, Unauthenticated
from live.identity.sessions import find_sessions
from live.identity.tokens import bearer_secret, find_token, token_is_valid

# Keys of the state of a connection that came with a token (see `connection_state`).
TOKEN_ID = "access_token_id"  # noqa: S105  a key, no secret
_TOKEN_LABEL = "access_token_label"  # noqa: S105  a key, no secret
# The key in a socket's scope of the lock on who is behind it.
_LOCK = "identity_lock"


def user_id(scope: dict[str, Any]) -> int | None:
    """Return the primary key of the user behind a socket, None for an anonymous one."""
    user = scope.get("user")
    return user.pk if user is not None and user.is_authenticated else None


# ---- tokens


def identify(secret: str) -> tuple[Any, dict[str, Any]]:
    """Return the user whose access token this is, and the state for their connection. Sync.

    Raises Unauthenticated for a token that is unknown, revoked or expired.
    """
    token = find_token(secret)
    if token is None:
        raise Unauthenticated("The access token is not valid.")
    return token.user, {TOKEN_ID: token.pk, _TOKEN_LABEL: token.label}


def user_of_request(request: HttpRequest) -> Any:
    """Return the user behind an HTTP request, by its access token or else its session. Sync.

    Raises BadInput for a malformed token and Unauthenticated for an invalid one, even if there
    is a session: the client did not mean that one.
    """
    secret = bearer_secret(request.headers.get("Authorization", ""))
    if secret is not None:
        user, state = identify(secret)
        vars(request).update(state)
        return user
    return get_user(request)


def is_bearer(request: HttpRequest) -> bool:
    """Whether the request has an access token: then it needs no protection from CSRF."""
    try:
        return bearer_secret(request.headers.get("Authorization", "")) is not None
    except BadInput:  # it is refused as a token, and its session is not looked at
        return True


async def identify_socket(scope: dict[str, Any], payload: dict[str, Any]) -> None:
    """Identify a socket by the token in connection_init's payload, or in its handshake.

    The payload is `{"authorization": "Bearer …"}`, with the key in any case. Raises BadInput for
    a malformed token and Unauthenticated for an invalid one, so that a client never goes on as
    another user than it meant.
    """
    header = _authorization(payload.items()) or _authorization(_headers(scope))
    if header is None:
        return
    secret = bearer_secret(header)
    if secret is not None:
        user, state = await in_worker_thread(identify, Pool.RIGHTS)(secret)
        scope.update({"user": user, **state})


def token_name(context: Context) -> str:
    """Return the id and the label of the client's access token, "" for a client without one."""
    state = connection_state(context)
    return f"{state[TOKEN_ID]} {state.get(_TOKEN_LABEL, '')}".strip() if TOKEN_ID in state else ""


def connection_state(context: Context) -> dict[str, Any]:
    """Return what holds a connection's token: its request's attributes, or its socket's scope."""
    scope = context.channels_scope
    return vars(context.request) if scope is None else scope


def _authorization(pairs: Iterable[tuple[Any, Any]]) -> str | None:
    for name, value in pairs:
        if str(name).lower() == "authorization":
            if not isinstance(value, str):
                raise BadInput("The authorization must be a string.")
            return value
    return None


def _headers(scope: dict[str, Any]) -> list[tuple[str, str]]:
    return [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]


# ---- the present user


def present_user(scope: dict[str, Any]) -> Any:
    """Return the user behind a socket as the database has it now. Sync.

    It is AnonymousUser if the session or token has ended, the password was changed, or the
    user was deactivated. The permissions are read too, so that later checks need no query.
    """
    with identity_lock(scope):
        user = _user_of_token(scope) if TOKEN_ID in scope else _user_of_session(scope)
    if user is None or not user.is_active:
        return AnonymousUser()
    user.get_all_permissions()
    return user


def _user_of_token(scope: dict[str, Any]) -> Any:
    return _stored_user(scope) if token_is_valid(scope[TOKEN_ID]) else None


def _user_of_session(scope: dict[str, Any]) -> Any:
    session = scope.get("session")
    if session is None or SESSION_KEY not in session:
        # An application's own on_connect may have put a user there.
        return _stored_user(scope)
    if session.session_key is None:
        return None
    # Read again: the socket's own session still has what it read when it connected.
    [(_, user)] = find_sessions([session.session_key])
    return user


def _stored_user(scope: dict[str, Any]) -> Any:
    key = user_id(scope)
    return None if key is None else get_user_model().objects.filter(pk=key).first()


def identity_lock(scope: dict[str, Any] | None) -> AbstractContextManager[Any]:
    """Return the lock to hold while reading or changing who is behind a socket.

    A log-in ends the former session, and all sockets are told so. Without the lock, the
    socket itself would look for its user in the middle of that, find none, and close. An HTTP
    request (None) needs no lock.
    """
    return nullcontext() if scope is None else scope.setdefault(_LOCK, Lock())
