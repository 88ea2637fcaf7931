"""gunicorn's worker for production: uvicorn, with the short way for ready frames.

gunicorn server.asgi:application -k server.workers.Worker -w 4
"""

from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

from live.socket.uvicorn import FrameProtocol

# Seconds from a connection to the end of its first request's headers; a slow phone takes two.
FIRST_REQUEST_SECONDS = 20


class FirstRequestInTime(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which would keep a connection that asks for nothing for ever."""

    def connection_made(self, transport: Any) -> None:
        """Take the connection, and give it a time."""
        super().connection_made(transport)
        self._late = self.loop.call_later(FIRST_REQUEST_SECONDS, transport.close)

    def on_headers_complete(self) -> None:
        """Take the request; called by the parser."""
        self._late.cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._late.cancel()
        super().connection_lost(exc)


class Worker(UvicornWorker):
    """uvicorn on uvloop; sockets by live.socket.uvicorn."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": FirstRequestInTime,
        "ws": FrameProtocol,
        # Twice what the engine takes, which has the better close code: beyond it, nothing is
        # even gathered in memory.
        "ws_max_size": 524_288,
        # Deflating each frame anew for each socket would undo what is shared.
        "ws_per_message_deflate": False,
        "lifespan": "off",
        # Whom X-Forwarded-For names is for TRUSTED_PROXIES to say: uvicorn believes whatever calls
        # from this machine, and failed log-ins are counted by address.
        "proxy_headers": False,
        # Its lines have query strings, which may search for a patient by name.
        "access_log": False,
    }
