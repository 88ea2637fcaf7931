"""Frames that are written past ASGI are the frames that websockets would have written."""

import asyncio
from types import SimpleNamespace

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import CLOSING, OPEN
from websockets.server import ServerProtocol

from live.socket.uvicorn import FrameProtocol, header


class Transport:
    """Keeps what is written."""

    def __init__(self):
        self.written = b""

    def write(self, data):
        self.written += data


def protocol(**changes):
    """Return a FrameProtocol in the middle of a connection, without a server around it."""
    made = FrameProtocol.__new__(FrameProtocol)
    made.transport = Transport()
    made.writable = asyncio.Event()
    made.writable.set()
    made.close_sent, made.handshake_complete = False, True
    made.conn = SimpleNamespace(state=OPEN)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_frame_is_what_websockets_makes_of_it(length):
    payload = b"x" * length
    expected = Frame(Opcode.TEXT, payload).serialize(mask=False)
    assert header(length) + payload == expected
    made = protocol()
    assert made.write_text(payload)
    assert made.transport.written == expected


@pytest.mark.parametrize(
    "state",
    [
        {"writable": asyncio.Event()},
        {"close_sent": True},
        {"handshake_complete": False},
        {"conn": SimpleNamespace(state=CLOSING)},
    ],
    ids=["client does not read", "close sent", "no handshake", "closing"],
)
def test_what_cannot_be_written_at_once_is_left_to_send(state):
    made = protocol(**state)
    assert not made.write_text(b"{}")
    assert made.transport.written == b""


# ---- a client that does not read


@pytest.mark.parametrize("reads", [True, False])
def test_pings_of_who_does_not_read_are_not_answered(reads):
    made = protocol(conn=ServerProtocol(state=OPEN))
    made.conn.send_pong(b"asked")
    if not reads:
        made.writable.clear()
    made.handle_ping()
    assert made.transport.written == (b"\x8a\x05asked" if reads else b"")
    assert made.conn.data_to_send() == []  # nothing gathers there either
