"""One more good client, a process of its own: how long is it until `{ me }` is answered?"""

import multiprocessing
import socket
import time
from collections import deque
from multiprocessing.connection import Connection

from benchmarks import wire

QUERY = "{ me { username } }"
# What a user who clicks about asks for, and half of what a client may.
ASKED_PER_SECOND = 10
PATIENCE_SECONDS = 60

Answers = list[tuple[float, float]]
"""When each was asked, of time.monotonic(), and the milliseconds until its answer."""


class Asker:
    """A context manager; the answers so far are `taken`, and forgotten.

    Args:
        port: the server's, on this machine.
        cookie: of a user who is nobody else's here.
    """

    def __init__(self, port: int, cookie: str) -> None:
        # Not forked: the load's sockets would stay open in it.
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=ask_on, args=(port, cookie, theirs), daemon=True)

    def __enter__(self) -> "Asker":
        self._process.start()
        self.taken()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def taken(self) -> Answers:
        """Return the answers since the last call; raise EOFError if the socket was closed."""
        self._pipe.send("answers")
        return self._pipe.recv()


def ask_on(port: int, cookie: str, pipe: Connection) -> None:
    """Ask at a steady rate, one question after the other, and tell the answers when asked."""
    answers: Answers = []
    client = _Socket(port, cookie)
    while True:
        asked = time.monotonic()
        client.ask()
        answers.append((asked, (time.monotonic() - asked) * 1e3))
        while pipe.poll(max(0.0, asked + 1 / ASKED_PER_SECOND - time.monotonic())):
            pipe.recv()
            pipe.send(answers)
            answers = []


class _Socket:
    """A blocking socket, after its handshake and its acknowledgement."""

    def __init__(self, port: int, cookie: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames: deque[tuple[int, bytes]] = deque()
        self._rest = b""
        self._socket.sendall(wire.handshake(port, cookie))
        # Nothing follows the head by itself.
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._socket.recv(4096)
        self._socket.sendall(wire.message("connection_init"))
        self._until(b"connection_ack")

    def ask(self) -> None:
        """Ask, and return when the answer is there; raise RuntimeError for an error."""
        self._socket.sendall(wire.request("1", QUERY))
        answer = self._until(b'"id":"1"')
        if b'"username"' not in answer:
            raise RuntimeError(f"no answer, but {answer[:200]!r}")
        self._until(b'"complete"')

    def _until(self, wanted: bytes) -> bytes:
        """Return the next message that has `wanted`."""
        while True:
            while not self._frames:
                self._read()
            opcode, payload = self._frames.popleft()
            if opcode == wire.PING:
                self._socket.sendall(wire.frame(payload, wire.PONG))
            elif opcode == wire.CLOSE:
                raise EOFError(f"closed with {int.from_bytes(payload[:2], 'big')}")
            elif b'"ping"' in payload[:16]:
                self._socket.sendall(wire.message("pong"))
            elif wanted in payload.replace(b": ", b":"):
                return payload

    def _read(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise EOFError("the server closed the socket")
        frames, self._rest = wire.split(self._rest + data)
        self._frames.extend(frames)
