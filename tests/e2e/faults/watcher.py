"""A client that watches patients and comes back with its last cursor, whatever happens to it.

Frames are read by bytes: an event costs the client some microseconds, less than the server.
"""

import asyncio
import json
import random
import re
import socket
import struct
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from benchmarks import wire

# The cursor, and the ordinal in the patient's name (see tests.e2e.faults.clerk).
EVENT = re.compile(rb'"cursor": ?"([\w=-]+)".*?#(\d{7})#', re.ASCII)

SMALL = """subscription ($category: String, $after: String) {
  onNewPatient(category: $category, after: $after) { cursor patient { name } }
}"""
# Some 4 KB, so that few of them fill what lies between the server and a client that does not
# read. As many aliases as are allowed.
_ALIASES = " ".join(f"message_number_{n:02}_under_a_long_name: message" for n in range(49))
BIG = SMALL.replace("patient { name }", f"patient {{ name }} {_ALIASES}")
# The least that Linux gives.
FEW_BYTES = 2304

BACK_OFF_SECONDS = (0.05, 0.3)
HANDSHAKE_SECONDS = 20
# A client comes back after these: the server goes away (1001, 1012), the connection is cut
# (1006), it did not answer (4410), was too slow (4411), or events may be lost (4412).
RESUMABLE_CLOSES = frozenset({1001, 1006, 1012, 4410, 4411, 4412})
RESUMABLE_ERRORS = frozenset({"UNAVAILABLE", "INTERNAL"})


class Watcher:
    """One client with one subscription.

    Args:
        ports: of the servers that it may go to, at random.
        cookie: the Cookie header's value.
        after: the cursor to begin after.
        category: a category's code; None watches all.
        is_slow: it asks for large events and has a small buffer, so that it holds up the
            server soon when it stops reading.
        cut_every: events after which it drops its connection, 0 is never.
    """

    def __init__(
        self,
        ports: Sequence[int],
        cookie: str,
        after: str,
        *,
        category: str | None = None,
        is_slow: bool = False,
        cut_every: int = 0,
    ) -> None:
        self.ports, self.cookie, self.category = list(ports), cookie, category
        self.is_slow, self.cut_every = is_slow, cut_every
        self.cursor = after
        self.received = array("l")
        """The events' ordinals, as they came."""
        self.arrived = array("d")
        """When each of them came, by the monotonic clock."""
        self.endings: Counter[str] = Counter()
        """How its connections ended, or why there was none."""
        self.refusals: list[str] = []
        """What no client can go on after; nothing if all is well."""
        self.registered = asyncio.Event()
        self.is_reading = True
        self._connection: _Connection | None = None
        self._target: int | None = None
        self._reached = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect, and come back again and again until `stop`."""
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Disconnect for good."""
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running
        self.cut()

    async def reach(self, ordinal: int) -> float:
        """Wait for the event `ordinal`, and return when it came."""
        if ordinal not in self.received:
            self._target = ordinal
            self._reached.clear()
            await self._reached.wait()
        return self.arrived[self.received.index(ordinal)]

    # ---- what may be done to it

    def cut(self) -> None:
        """Drop the connection without a word, as a network does."""
        if self._connection:
            self._connection.abort()

    def stall(self) -> None:
        """Read nothing more until `go_on`, on this connection and later ones."""
        self.is_reading = False
        if self._connection:
            self._connection.transport.pause_reading()

    def go_on(self) -> None:
        """End a stall."""
        self.is_reading = True
        if self._connection:
            self._connection.transport.resume_reading()

    # ---- for its connection

    def take(self, cursor: str, ordinal: int) -> None:
        """Note an event."""
        self.cursor = cursor
        self.received.append(ordinal)
        self.arrived.append(time.monotonic())
        if ordinal == self._target:
            self._reached.set()
        if self.cut_every and len(self.received) % self.cut_every == 0:
            self.cut()

    def subscription(self) -> bytes:
        """Return the message that subscribes to what comes after the last event."""
        document = BIG if self.is_slow else SMALL
        return wire.request("1", document, category=self.category, after=self.cursor)

    def refuse(self, code: str) -> None:
        """Note an error or a close code."""
        self.endings[code] += 1
        if code not in RESUMABLE_ERRORS:
            self.refusals.append(code)

    def closed(self, code: int) -> None:
        """Note how a connection ended."""
        self.endings[str(code)] += 1
        if code not in RESUMABLE_CLOSES:
            self.refusals.append(str(code))

    # ---- coming back

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    self._connection = await self._connect(random.choice(self.ports))
                await self._connection.ended.wait()
            except OSError as error:  # TimeoutError is one
                self.endings[type(error).__name__] += 1
            finally:
                self._connection = None
            await asyncio.sleep(random.uniform(*BACK_OFF_SECONDS))

    async def _connect(self, port: int) -> "_Connection":
        loop = asyncio.get_running_loop()
        end = socket.socket()
        end.setblocking(False)
        if self.is_slow:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FEW_BYTES)
        try:
            await loop.sock_connect(end, ("127.0.0.1", port))
            _, connection = await loop.create_connection(lambda: _Connection(self, port), sock=end)
        except BaseException:
            end.close()
            raise
        return connection


class _Connection(asyncio.Protocol):
    """One connection of a watcher, from the handshake to its end."""

    transport: asyncio.Transport

    def __init__(self, watcher: Watcher, port: int) -> None:
        self.watcher, self.port = watcher, port
        self.ended = asyncio.Event()
        self._rest = b""
        self._is_upgraded = False
        self._close_code = 1006

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(wire.handshake(self.port, self.watcher.cookie))
        if not self.watcher.is_reading:
            transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.watcher.closed(self._close_code)
        self.ended.set()

    def abort(self) -> None:
        """Reset the connection; whatever was on its way is gone."""
        linger = struct.pack("ii", 1, 0)
        with suppress(OSError):
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._is_upgraded and not self._upgrade():
            return
        frames, self._rest = wire.split(self._rest)
        for opcode, payload in frames:
            if self.transport.is_closing():
                return  # cut: what it had not read is lost
            if opcode == wire.TEXT:
                self._take(payload)
            elif opcode == wire.PING:
                self.transport.write(wire.frame(payload, wire.PONG))
            elif opcode == wire.CLOSE:
                self._close_code = int.from_bytes(payload[:2], "big") if payload else 1005
                self.transport.close()

    def _upgrade(self) -> bool:
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self.watcher.endings[f"HTTP {head[9:12].decode()}"] += 1
            self.transport.abort()
            return False
        self._is_upgraded, self._rest = True, rest
        payload = {"confirmSubscriptions": True}
        self.transport.write(wire.message("connection_init", payload=payload))
        return True

    def _take(self, payload: bytes) -> None:
        event = EVENT.search(payload)
        if event:
            self.watcher.take(event[1].decode(), int(event[2]))
        else:
            self._control(json.loads(payload))

    def _control(self, message: dict[str, Any]) -> None:
        """Handle whatever is not an event."""
        kind, payload = message["type"], message.get("payload")
        if kind == "ping":
            self.transport.write(wire.message("pong"))
        elif kind == "connection_ack":
            self.transport.write(self.watcher.subscription())
        elif kind == "next" and not payload.get("errors"):
            self.watcher.registered.set()
        elif kind != "pong":
            errors = payload if kind == "error" else (payload or {}).get("errors", [])
            for error in errors or [{}]:
                self.watcher.refuse(error.get("extensions", {}).get("code", kind))
            self.transport.close()
