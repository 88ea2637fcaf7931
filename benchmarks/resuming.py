"""Sockets that begin with a cursor: who comes back, and who never reads."""

import http.client
import json
import socket
from array import array
from urllib.parse import urlencode

from benchmarks import wire
from benchmarks.servers import Server
from benchmarks.sockets import Client, Closed, Poller

SUBSCRIPTION = (
    "subscription ($category: String, $after: String) "
    "{ onNewPatient(category: $category, after: $after) "
    "{ cursor patient { id name status category { code } } } }"
)
# The least that Linux gives: what the client does not read stays with the server.
FEW_BYTES = 2304
# linux/tcp.h: the first byte of TCP_INFO is the state, and this one is an open connection's.
ESTABLISHED = 1


def position(server: Server) -> str:
    """Return the log's end, as clients get it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Cookie": server.house.cookies["driver"], "Accept": "application/json"}
    try:
        connection.request("GET", f"/graphql/?{urlencode({'query': '{ position }'})}", "", headers)
        return json.loads(connection.getresponse().read())["data"]["position"]
    finally:
        connection.close()


class Resumer(Client):
    """A socket with one subscription that begins after a cursor and notes what arrives.

    Args:
        after: the cursor.
        category: a category's code; None watches all.
    """

    def __init__(
        self,
        poller: Poller,
        port: int,
        cookie: str,
        after: str,
        category: str | None = None,
        receive_bytes: int = 0,
    ) -> None:
        self.after, self.category = after, category
        self.seen = array("l")
        """The events' numbers, as they came."""
        self.registered = False
        super().__init__(poller, port, cookie, receive_bytes)

    def on_ack(self) -> None:
        variables = {"category": self.category, "after": self.after}
        self.send(wire.request("1", SUBSCRIPTION, **variables))

    def take(self, opcode: int, payload: bytes) -> None:
        at = payload.find(wire.MARK) + 1 if opcode == wire.TEXT else 0
        if at:
            self.seen.append(int(payload[at : at + wire.DIGITS]))
        else:
            super().take(opcode, payload)

    def on_message(self, message: dict, size: int) -> None:
        if message["type"] != "next" or message["payload"].get("errors"):
            raise Closed(f"subscribing failed: {str(message)[:300]}")
        self.registered = True


class Silent(Resumer):
    """A socket that subscribes, and never reads what it subscribed to."""

    def on_message(self, message: dict, size: int) -> None:
        super().on_message(message, size)
        self.poller.remove(self)

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == wire.TEXT and wire.MARK in payload:
            self.poller.remove(self)  # an event that came together with the confirmation
        else:
            super().take(opcode, payload)

    def on_close(self) -> None:
        """Thrown out before it was registered: whoever looks will see."""

    @property
    def is_open(self) -> bool:
        """Whether the server has the connection still open, as far as the kernel knows."""
        if self.socket.fileno() < 0:
            return False
        state = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state == ESTABLISHED
