"""WebSocket frames written once for many sockets, past ASGI's path, on uvicorn.

ASGI's way to a socket costs a dict, an encoding and the framing for each of a thousand
sockets that get the same bytes. `FrameProtocol` offers an extension in the scope,
`scope["extensions"]["wardcast.frame"]["write"]`: a function that takes a text frame's
payload as UTF-8 and returns True when it was written, or False when it has to go by `send`.
"""

import struct
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from live.socket.send_queue import FRAME_EXTENSION

# RFC 6455, section 5.2: FIN and opcode 1 (text); a server's frames have no mask.
_TEXT = 0x81


class FrameProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, with a short way for ready frames."""

    async def run_asgi(self) -> None:
        """Run the application, which finds the extension in its scope."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[FRAME_EXTENSION] = {"write": self.write_text}
        await super().run_asgi()

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
