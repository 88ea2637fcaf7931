"""Who is behind a connection, and whether that is still so."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from live.concurrency.threads import in_worker_thread
from live.context import Context
from live.errors import BadInput, Unauthenticated
from live.identity.sessions import find_sessions
from live.identity.tokens import bearer_secret, find_token, token_is_valid

# Where a connection that came with a token keeps the token's id.
TOKEN_ID = "access_token_id"  # noqa: S105  a key, no secret
_TOKEN_LABEL = "access_token_label"  # noqa: S105  a key, no secret
# Where a socket keeps the lock of who is behind it.
_LOCK = "identity_lock"


def user_id(scope: dict[str, Any]) -> int | None:
    """Return the primary key of the user behind a socket, None for nobody."""
    user = scope.get("user")
    return user.pk if user is not None and user.is_authenticated else None


# ---- tokens


def identify(secret: str) -> tuple[Any, dict[str, Any]]:
    """Return the user whose access token this is, and what a connection keeps of it. Sync.

    Raises Unauthenticated where there is no such token, or it has ended.
    """
    token = find_token(secret)
    if token is None:
        raise Unauthenticated("The access token is not valid.")
    return token.user, {TOKEN_ID: token.pk, _TOKEN_LABEL: token.label}


def user_of_request(request: HttpRequest) -> Any:
    """Return the user behind an HTTP request: by its access token, else by its session. Sync.

    Raises BadInput or Unauthenticated for a token that is none: the session that may come
    along is not what the client meant.
    """
    secret = bearer_secret(request.headers.get("Authorization", ""))
    if secret is not None:
        user, kept = identify(secret)
        vars(request).update(kept)
        return user
    return get_user(request)


def is_bearer(request: HttpRequest) -> bool:
    """Whether an access token identifies the request, so that no foreign page can ride on it."""
    return request.headers.get("Authorization", "").lower().startswith("bearer")


async def take_bearer(scope: dict[str, Any], payload: dict[str, Any]) -> None:
    """Identify a socket by the token in connection_init's payload, or in its handshake.

    `{"authorization": "Bearer …"}`, the key in any case; raises BadInput or Unauthenticated
    for a token that is none, so that a client never goes on as somebody else than it meant.
    """
    header = _authorization(payload.items()) or _authorization(_headers(scope))
    if header is None:
        return
    secret = bearer_secret(header)
    if secret is not None:
        user, kept = await in_worker_thread(identify)(secret)
        scope.update({"user": user, **kept})


def token_name(context: Context) -> str:
    """Return the number and the label of the client's access token, "" where it has none."""
    kept = kept_of(context)
    return f"{kept[TOKEN_ID]} {kept.get(_TOKEN_LABEL, '')}".strip() if TOKEN_ID in kept else ""


def kept_of(context: Context) -> dict[str, Any]:
    """Return where the connection keeps its access token: its request, or its socket's scope."""
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


# ---- still so


def present_user(scope: dict[str, Any]) -> Any:
    """Return the user behind a socket as the database has it now. Sync.

    AnonymousUser where the session or token has ended, the password was changed, or the
    user was deactivated. What the user may do is read along, so that asking for it later
    needs no database.
    """
    with one_at_a_time(scope):
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
    # Read anew: the socket's own remembers what it read when it connected.
    [(_, user)] = find_sessions([session.session_key])
    return user


def _stored_user(scope: dict[str, Any]) -> Any:
    key = user_id(scope)
    return None if key is None else get_user_model().objects.filter(pk=key).first()


def one_at_a_time(scope: dict[str, Any] | None) -> AbstractContextManager[Any]:
    """Let one at a time look at, or change, who is behind a socket (None: an HTTP request).

    The end of the former session is told to all sockets, and its own would look for whom it
    has in the midst of the change: it would find nobody, and close.
    """
    return nullcontext() if scope is None else scope.setdefault(_LOCK, Lock())
