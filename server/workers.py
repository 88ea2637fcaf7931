"""gunicorn's worker for production: uvicorn, with the short way for ready frames.

gunicorn server.asgi:application -k server.workers.Worker -w 4
"""

from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker

from live.socket.uvicorn import FrameProtocol


class Worker(UvicornWorker):
    """uvicorn on uvloop; sockets by live.socket.uvicorn."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": FrameProtocol,
        # Twice what the engine takes, which has the better close code: beyond it, nothing is
        # even gathered in memory.
        "ws_max_size": 524_288,
        # Deflating each frame anew for each socket would undo what is shared.
        "ws_per_message_deflate": False,
        "lifespan": "off",
        # Its lines have query strings, which may search for a patient by name.
        "access_log": False,
    }
