"""The load's sockets: plain non-blocking ones under one epoll, as cheap as Python allows."""

import contextlib
import json
import os
import select
import socket
import time
from array import array
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

from benchmarks import wire

READ_BYTES = 32_768
# One source address has some 28,000 ports, each of which rests for a minute after use.
SOCKETS_PER_ADDRESS = 5_000


class Closed(Exception):
    """The server ended a socket that should have lived."""


class Readable(Protocol):
    """What a poller reads for."""

    fd: int
    feed: Callable[[bytes], None]


class Poller:
    """Reads from its sockets whenever there is something to read."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.sockets: dict[int, Readable] = {}
        self.opened = 0

    def add(self, client: Readable) -> None:
        self.sockets[client.fd] = client
        self.epoll.register(client.fd, select.EPOLLIN)

    def remove(self, client: Readable) -> None:
        if self.sockets.pop(client.fd, None):
            self.epoll.unregister(client.fd)

    def source(self) -> str:
        """Return the loopback address that the next socket comes from."""
        self.opened += 1
        return f"127.0.1.{1 + self.opened // SOCKETS_PER_ADDRESS % 250}"

    def turn(self, timeout: float = 0.5) -> int:
        """Read what there is, waiting for it up to `timeout` seconds; return from how many."""
        events = self.epoll.poll(timeout)
        sockets, read = self.sockets, os.read
        for fd, _ in events:
            if client := sockets.get(fd):
                client.feed(read(fd, READ_BYTES))
        return len(events)

    def run_until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Turn until `done()`; raise TimeoutError after `seconds` without anything to read."""
        last = time.monotonic()
        while not done():
            if self.turn():
                last = time.monotonic()
            elif time.monotonic() - last > seconds:
                raise TimeoutError(f"nothing came for {seconds} s while waiting for {what}")


class Client:
    """One socket: handshake, connection_init, and then messages to `on_message`."""

    def __init__(self, poller: Poller, port: int, cookie: str, receive_bytes: int = 0) -> None:
        self.poller = poller
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.bind((poller.source(), 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.fd = self.socket.fileno()
        self.rest = b""
        self.close_code: int | None = None
        self.feed: Callable[[bytes], None] = self._upgraded
        poller.add(self)
        self.socket.sendall(wire.handshake(port, cookie))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self) -> None:
        """End the socket without a word, as a client does that lost its network."""
        self.poller.remove(self)
        self.socket.close()

    # ---- for subclasses

    def on_ack(self) -> None:
        """The connection is acknowledged."""

    def on_message(self, message: dict[str, Any], size: int) -> None:
        """A protocol message that is no ping came, of so many bytes."""

    def on_close(self) -> None:
        """The server closed the socket."""
        raise Closed(f"a socket was closed with {self.close_code}")

    # ---- what is read

    def _upgraded(self, data: bytes) -> None:
        self.rest += data
        head, end, rest = self.rest.partition(b"\r\n\r\n")
        if not data or (end and not head.startswith(b"HTTP/1.1 101")):
            self._closed(head[:60])
        elif end:
            self.rest, self.feed = b"", self.cold
            payload = {"confirmSubscriptions": True}
            self.send(wire.message("connection_init", payload=payload))
            if rest:
                self.cold(rest)

    def cold(self, data: bytes) -> None:
        """Read frames the slow way."""
        if not data:
            self._closed(b"end")
            return
        frames, self.rest = wire.split(self.rest + data)
        for opcode, payload in frames:
            self.take(opcode, payload)

    def take(self, opcode: int, payload: bytes) -> None:
        """Handle one frame that is not a plain notification."""
        if opcode == wire.PING:
            self.send(wire.frame(payload, wire.PONG))
        elif opcode == wire.CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
            self._closed(payload)
        elif opcode == wire.TEXT:
            self._message(json.loads(payload), len(payload))

    def _message(self, message: dict[str, Any], size: int) -> None:
        if message["type"] == "ping":
            self.send(wire.message("pong"))
        elif message["type"] == "connection_ack":
            self.on_ack()
        else:
            self.on_message(message, size)

    def _closed(self, why: bytes) -> None:
        if self.fd in self.poller.sockets:
            self.close()
            self.on_close()


class Tally:
    """Which event arrived when, and what arrived that should not."""

    def __init__(self) -> None:
        self.arrivals: dict[int, array] = {}
        """Event number → nanoseconds of CLOCK_MONOTONIC, one for each delivery."""
        self.subscribed = 0
        self.lost_sockets = 0


class Subscriber(Client):
    """A socket with one subscription that notes what arrives, and in which order."""

    def __init__(self, poller: Poller, port: int, cookie: str, tally: Tally, group: int) -> None:
        self.tally, self.category = tally, f"B{group:02}"
        self.seen = array("i")
        """The numbers of the events, as they came."""
        super().__init__(poller, port, cookie)

    def on_ack(self) -> None:
        self.send(wire.request("1", wire.SUBSCRIPTION, category=self.category))

    def on_message(self, message: dict[str, Any], size: int) -> None:
        if message["type"] != "next" or message["payload"].get("errors"):
            raise Closed(f"subscribing failed: {str(message)[:300]}")
        self.tally.subscribed += 1
        self.feed = self.hot

    def on_close(self) -> None:
        self.tally.lost_sockets += 1

    def hot(self, data: bytes) -> None:
        """Take one whole notification, which nearly every read has."""
        whole = len(data) > 129 and data[0] == 0x81 and data[1] == 126 and not self.rest
        if whole and len(data) == 4 + (data[2] << 8 | data[3]):
            self._notified(data)
        else:
            self.cold(data)

    def take(self, opcode: int, payload: bytes) -> None:
        if self.feed == self.hot and opcode == wire.TEXT and wire.MARK in payload:
            self._notified(payload)
        else:
            super().take(opcode, payload)

    def _notified(self, data: bytes) -> None:
        at = data.find(b"#") + 1
        if not at:
            self.cold(data)
            return
        number = int(data[at : at + 7])
        self.seen.append(number)
        self.tally.arrivals[number].append(time.monotonic_ns())


class Driver(Client):
    """The socket that sends mutations and queries, and counts their answers."""

    def __init__(self, poller: Poller, port: int, cookie: str) -> None:
        self.ready = False
        self.answered: set[str] = set()
        super().__init__(poller, port, cookie)

    def on_ack(self) -> None:
        self.ready = True

    def on_message(self, message: dict[str, Any], size: int) -> None:
        if message["type"] == "complete":
            self.answered.add(message["id"])
            return
        payload = message["payload"]
        result = payload.get("data") if isinstance(payload, dict) else None
        created = (result or {}).get("createPatient")
        if not result or payload.get("errors") or (created and created["errors"]):
            raise Closed(f"an operation failed: {str(message)[:300]}")


class Announcer:
    """An HTTP connection that has the server broadcast without a mutation, over and over."""

    def __init__(self, poller: Poller, port: int) -> None:
        self.poller = poller
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fd = self.socket.fileno()
        self.answers = 0
        poller.add(self)

    def announce(self, name: str, category: str) -> None:
        """Ask for one broadcast; `answers` tells how many are done."""
        path = f"/bench/announce?name={quote(name)}&category={category}"
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def feed(self, data: bytes) -> None:
        if not data:
            raise Closed("the server closed the announcer's connection")
        self.answers += data.count(b"HTTP/1.1 200")

    def close(self) -> None:
        self.poller.remove(self)
        self.socket.close()


def close_all(clients: list[Any]) -> None:
    """Close what is still open."""
    for client in clients:
        with contextlib.suppress(OSError):
            client.close()
