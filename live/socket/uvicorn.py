"""WebSocket frames written once for many sockets, past ASGI's path, on uvicorn.

ASGI's way to a socket costs a dict, an encoding and the framing for each of a thousand
sockets that get the same bytes. `FrameProtocol` offers an extension in the scope,
`scope["extensions"]["wardcast.frame"]["write"]`: a function that takes a text frame's
payload as UTF-8 and returns True when it was written, or False when it has to go by `send`.
"""

import asyncio
import struct
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from live.socket.send_queue import FRAME_EXTENSION

# RFC 6455, section 5.2: FIN and opcode 1 (text); a server's frames have no mask.
_TEXT = 0x81


class FrameProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, with a short way for ready frames.

    A client that does not read costs no more than the transport's bound, nor stays for ever:
    uvicorn's own answers all its pings, and waits for it before it closes.
    """

    _abort: asyncio.TimerHandle | None = None

    async def run_asgi(self) -> None:
        """Run the application, which finds the extension in its scope."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[FRAME_EXTENSION] = {"write": self.write_text}
        await super().run_asgi()
        self._abort_later()

    async def send(self, message: Any) -> None:
        """Send an ASGI message, once the client reads; a close waits for it only so long."""
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self._abort_later()
        await super().send(message)

    def handle_ping(self) -> None:
        """Answer a WebSocket ping, unless the client does not read: the answers would gather."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the connection is gone."""
        if self._abort is not None:
            self._abort.cancel()
        super().connection_lost(exc)

    def _abort_later(self) -> None:
        """Drop the connection, with what it has not read, if it does not end by itself."""
        if self._abort is None and not self.disconnected:
            self._abort = self.loop.call_later(self.close_timeout, self.transport.abort)

    def write_text(self, payload: bytes) -> bool:
        """Write `payload` as one text frame if the socket takes it at once.

        The server's messages are never fragmented, so a frame fits between any two.
        """
        if (
            not self.writable.is_set()
            or self.close_sent
            or not self.handshake_complete
            or self.conn.state is not OPEN
        ):
            return False
        self.transport.write(header(len(payload)) + payload)
        return True


def header(length: int) -> bytes:
    """Return the header of an unmasked text frame whose payload has `length` bytes."""
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65_536:
        return struct.pack("!BBH", _TEXT, 126, length)
    return struct.pack("!BBQ", _TEXT, 127, length)
