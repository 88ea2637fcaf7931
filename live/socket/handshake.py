"""Middleware for a socket's handshake only."""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from live import metrics
from live.concurrency import outage
from live.errors import is_unavailable
from live.identity import rights_cache
from live.identity.sessions import find_session
from live.socket.close_codes import UNAVAILABLE
from live.socket.protocol import choose_subprotocol


class AtHandshake:
    """Asks middleware once, and then serves the socket without it.

    Middleware for sockets reads the cookie, finds the user, checks the Origin: all of it at
    the handshake. Left around the application, its frames, its copies of the scope and its
    wrapped `send` would stay for as long as the socket, and be paid with every message.

    Args:
        middleware: takes an ASGI application and returns one around it.
        application: gets the scope as the innermost middleware left it.
    """

    def __init__(self, middleware: Callable[[Any], Any], application: Any) -> None:
        self._middleware = middleware
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        found: list[dict[str, Any]] = []

        async def note(inner: dict[str, Any], *_: Any) -> None:
            found.append(inner)

        try:
            await self._middleware(note)(scope, receive, send)
        except Exception as error:
            if not is_unavailable(error):
                raise
            outage.database_failed(error)
            await _close(scope, send)
        if found:  # nothing, where the middleware refused the socket
            await self._application(found.pop(), receive, send)


async def _close(scope: dict[str, Any], send: Any) -> None:
    """Close a socket with the code to come back after; a refused handshake has none."""
    chosen = choose_subprotocol(scope.get("subprotocols", ()))
    if chosen is not None:
        await send({"type": "websocket.accept", "subprotocol": chosen})
    code, reason = int(UNAVAILABLE.code), UNAVAILABLE.reason
    metrics.closes.labels(code=code).inc()
    await send({"type": "websocket.close", "code": code, "reason": reason})


class SessionUser:
    """ASGI middleware: the `session` of the client's cookie, and the `user` logged in there.

    It goes inside Channels' CookieMiddleware, in place of its SessionMiddleware and
    AuthMiddleware, which look each client up by itself: half of what a handshake costs.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        key = scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        # Rights may change until the hub knows of the socket: see LiveConsumer.
        found: dict[str, Any] = {"looked_at": rights_cache.clearings()}
        found["session"], found["user"] = await find_session(key)
        await self._application({**scope, **found}, receive, send)
