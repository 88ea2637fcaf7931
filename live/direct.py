"""The server's own `send`, kept for sockets past the middleware between."""

from typing import Any

KEY = "live.send"


class DirectSend:
    """ASGI middleware, to be the outermost: remembers `send` in the scope.

    Channels' session middleware wraps `send` for the sake of cookies in responses; a socket
    has none to set after its handshake, and would pay for the wrapper with every frame.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        return await self.application({**scope, KEY: send}, receive, send)
