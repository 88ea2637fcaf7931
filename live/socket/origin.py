"""Which web pages may open a socket here (against cross-site WebSocket hijacking)."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host


class OriginGuard:
    """ASGI middleware: a page of another origin is refused with 403 at the handshake.

    A client without an Origin header is no browser, and passes: it has no cookies that
    a foreign page could ride on. (Channels' own validator refuses it.)
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1") or None
        if is_allowed(origin=origin, host=host):
            return await self.application(scope, receive, send)
        return await refuse(scope, receive, send)


async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI application: refuse every socket, with 403 at the handshake.

    (Channels' WebsocketDenier enters a thread for it, to look after database connections.)
    """
    await receive()
    await send({"type": "websocket.close"})


def is_allowed(*, origin: str | None, host: str) -> bool:
    """Whether a handshake with these headers may go on.

    The host itself is checked too: a page whose own name was re-bound to this machine's
    address has the same foreign name in both headers.
    """
    try:
        name = urlsplit(f"//{host}").hostname
        page = urlsplit(origin).netloc if origin is not None else None
    except ValueError:  # brackets that are no IPv6 address
        return False
    if not name or not validate_host(_bracketed(name), settings.ALLOWED_HOSTS):
        return False
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    # Where the site is for TLS only, a page without it is not the site's: anybody on the way
    # between may have written it.
    is_plain = settings.SECURE_SSL_REDIRECT and not origin.startswith("https://")
    return page == host and not is_plain


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
