"""The two GraphQL subprotocols, without any I/O: a message comes in, what to do comes out.

`graphql-transport-ws` as graphql-ws' PROTOCOL.md has it, and the legacy `graphql-ws` as
subscriptions-transport-ws' PROTOCOL.md has it. A `Connection` holds one socket's state; its
`receive` never raises. docs/protocol.md has the whole table.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from live.execution.response import encode
from live.socket.close_codes import (
    DUPLICATE_ID,
    SECOND_INIT,
    TERMINATED,
    UNAUTHORIZED,
    Close,
    malformed,
    refused,
)
from live.socket.messages import Malformed, Message, read_message

TRANSPORT_WS = "graphql-transport-ws"
LEGACY_WS = "graphql-ws"
SUBPROTOCOLS = (TRANSPORT_WS, LEGACY_WS)


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this message at once."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Initialise:
    """Ask the application whether it takes the client; then call `acknowledge` or `reject`."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """Run an operation, not before the ack; call `finish` with its id when it has ended."""

    id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """End the running operation `id`; nothing more is sent for it but what `reply` holds."""

    id: str
    reply: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Ignore:
    """There is nothing to do."""


class Prefix(NamedTuple):
    """The beginning of a message, as text and as bytes."""

    text: str
    data: bytes


# The longest payload of a ping that its pong has, too, in characters of JSON.
LONGEST_ECHO = 1024
# What ends a message whose payload is its last field.
NEXT_END = "}"


Action = Close | Reply | Initialise | Start | Stop | Ignore


def choose_subprotocol(offered: Iterable[str | bytes]) -> str | None:
    """Return the newest of our subprotocols that a client offers, None without one."""
    names = {name.decode("latin-1") if isinstance(name, bytes) else name for name in offered}
    return next((name for name in SUBPROTOCOLS if name in names), None)


class State(enum.Enum):
    """The state of a connection."""

    NEW = "new"
    INITIALISING = "initialising"
    ACKNOWLEDGED = "acknowledged"


@dataclass(slots=True)
class Connection:
    """One socket's protocol state."""

    subprotocol: str
    state: State = State.NEW
    running: set[str] = field(default_factory=set)

    @property
    def is_legacy(self) -> bool:
        return self.subprotocol == LEGACY_WS

    def receive(self, text: str | None) -> Action:
        """Take one frame (None for a binary one) and return what to do."""
        try:
            message = read_message(text, legacy=self.is_legacy)
        except Malformed as error:
            return self._refuse_malformed(error)
        return getattr(self, f"_on_{message.type}")(message)

    def acknowledge(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Accept the client; return the message that says so."""
        self.state = State.ACKNOWLEDGED
        return {"type": "connection_ack", "payload": payload}

    def reject(self, why: str | None = None) -> tuple[dict[str, Any] | None, Close]:
        """Refuse the client; return the message to send before the close, if any.

        `why` is what the client is told: a text that was written for it.
        """
        close = refused(why)
        if self.is_legacy:
            return connection_error(why or "The connection was refused."), close
        return None, close

    def finish(self, id: str) -> None:
        """Free the id of an operation that has ended."""
        self.running.discard(id)

    # ---- messages to the client about an operation

    def next(self, id: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the message with a result, or one notification."""
        return {"type": "data" if self.is_legacy else "next", "id": id, "payload": payload}

    def next_prefix(self, id: str) -> Prefix:
        """Return the part of a notification's message that is before the payload.

        The payload's JSON and NEXT_END follow: the same for all who are told.
        """
        text = encode(self.next(id, {})).removesuffix("{}" + NEXT_END)
        return Prefix(text, text.encode())

    def error(self, id: str, errors: list[Any]) -> dict[str, Any]:
        """Return the message that ends an operation which did not run."""
        payload: Any = {"message": errors[0]["message"], "errors": errors}
        return {"type": "error", "id": id, "payload": payload if self.is_legacy else errors}

    def complete(self, id: str) -> dict[str, Any]:
        """Return the message that ends an operation."""
        return {"type": "complete", "id": id}

    def ping(self) -> dict[str, Any]:
        """Return the message that keeps the connection alive."""
        return {"type": "ka" if self.is_legacy else "ping"}

    # ---- messages from the client

    def _refuse_malformed(self, error: Malformed) -> Action:
        if not self.is_legacy:
            return malformed(error.reason)
        if error.id is None:
            return Reply(connection_error(f"{error.reason}."))
        return Reply(self.error(error.id, [bad_input(f"{error.reason}.")]))

    def _on_connection_init(self, message: Message) -> Action:
        if self.state is State.NEW:
            self.state = State.INITIALISING
            return Initialise(message.payload or {})
        if self.is_legacy:
            return Ignore()
        return SECOND_INIT

    def _on_subscribe(self, message: Message) -> Action:
        if not self._may_start:
            return self._refuse_early(message.id)
        if message.id in self.running:
            return self._refuse_duplicate(message.id)
        self.running.add(message.id)
        return Start(message.id, message.payload or {})

    _on_start = _on_subscribe

    @property
    def _may_start(self) -> bool:
        # The legacy client does not wait for the ack: it sends what it has right behind its
        # connection_init. The application holds such operations back until the ack.
        early = State.INITIALISING if self.is_legacy else State.ACKNOWLEDGED
        return self.state in (early, State.ACKNOWLEDGED)

    def _refuse_early(self, id: str) -> Action:
        if self.is_legacy:
            return Reply(self.error(id, [unauthenticated("The connection is not initialised.")]))
        return UNAUTHORIZED

    def _refuse_duplicate(self, id: str) -> Action:
        if self.is_legacy:
            return Reply(self.error(id, [bad_input("An operation with this id is running.")]))
        return DUPLICATE_ID

    def _on_complete(self, message: Message) -> Action:
        if message.id not in self.running:
            # Both protocols allow it: the server's own completion may be on its way.
            return Ignore()
        self.running.discard(message.id)
        return Stop(message.id, self.complete(message.id) if self.is_legacy else None)

    _on_stop = _on_complete

    def _on_ping(self, message: Message) -> Action:
        # Only a client that was let in, and a short payload: an answer costs what a ping costs.
        payload = message.payload if self.state is State.ACKNOWLEDGED else None
        if payload is None or len(encode(payload)) > LONGEST_ECHO:
            return Reply({"type": "pong"})
        return Reply({"type": "pong", "payload": payload})

    def _on_pong(self, message: Message) -> Action:
        return Ignore()

    def _on_connection_terminate(self, message: Message) -> Action:
        return TERMINATED


def connection_error(message: str) -> dict[str, Any]:
    """Return the legacy protocol's message about the connection as a whole."""
    return {"type": "connection_error", "payload": {"message": message}}


def bad_input(message: str) -> dict[str, Any]:
    """Return a formatted error for input that cannot be used."""
    return {"message": message, "extensions": {"code": "BAD_INPUT"}}


def unauthenticated(message: str) -> dict[str, Any]:
    """Return a formatted error for an operation before the connection is initialised."""
    return {"message": message, "extensions": {"code": "UNAUTHENTICATED"}}
