"""Why the server closes a socket: every code, and every reason that is sent with one.

docs/protocol.md has the table for clients. A reason never quotes what the client sent.
"""

import enum
from dataclasses import dataclass

# A control frame holds 125 bytes (RFC 6455, section 5.5), of which the code takes two.
LONGEST_REASON_BYTES = 123


class CloseCode(enum.IntEnum):
    """The codes of closes (those from 4400 on are graphql-ws' own)."""

    NORMAL = 1000
    INTERNAL_ERROR = 4500
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    CONNECTION_INIT_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    MESSAGE_TOO_BIG = 4413
    TOO_MANY_REQUESTS = 4429
    # Ours; graphql-ws' client takes all of them as reasons to connect again.
    NOT_RESPONDING = 4410  # no answer to pings, or idle for too long
    TOO_SLOW = 4411  # it takes nothing, or too much waits for it
    EVENTS_LOST = 4412  # the log does not have them any more
    UNAVAILABLE = 4503  # the database is away


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket."""

    code: CloseCode
    reason: str


TERMINATED = Close(CloseCode.NORMAL, "Terminated by the client")
FAILED = Close(CloseCode.INTERNAL_ERROR, "Internal server error")
UNAUTHORIZED = Close(CloseCode.UNAUTHORIZED, "Unauthorized")
FORBIDDEN = Close(CloseCode.FORBIDDEN, "Forbidden")
KICKED = Close(CloseCode.FORBIDDEN, "Ended by an administrator")
SUBPROTOCOL = Close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
NO_INIT = Close(CloseCode.CONNECTION_INIT_TIMEOUT, "Connection initialisation timeout")
# The id itself is the client's text, and may be too long for a close frame.
DUPLICATE_ID = Close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, "Subscriber for this id already exists")
MESSAGE_TOO_BIG = Close(CloseCode.MESSAGE_TOO_BIG, "Message is too big")
SECOND_INIT = Close(CloseCode.TOO_MANY_REQUESTS, "Too many initialisation requests")
TOO_MANY_MESSAGES = Close(CloseCode.TOO_MANY_REQUESTS, "Too many messages")
TOO_MANY_REQUESTS = Close(CloseCode.TOO_MANY_REQUESTS, "Too many requests")
NO_PONG = Close(CloseCode.NOT_RESPONDING, "Pings are not answered")
IDLE = Close(CloseCode.NOT_RESPONDING, "Idle for too long")
TOO_SLOW = Close(CloseCode.TOO_SLOW, "The client does not read")
UNAVAILABLE = Close(CloseCode.UNAVAILABLE, "The database is away: come back")
EVENTS_LOST = Close(CloseCode.EVENTS_LOST, "Events were lost")


def malformed(what: str) -> Close:
    """Return the close for a message that is malformed; `what` says how."""
    return Close(CloseCode.BAD_REQUEST, what)


def refused(why: str | None) -> Close:
    """Return the close for a client that is not admitted; `why` is a text written for it."""
    return Close(CloseCode.FORBIDDEN, fit_reason(why or "The connection was refused"))


def fit_reason(text: str) -> str:
    """Return as much of `text` as a close frame holds."""
    return text.encode(errors="replace")[:LONGEST_REASON_BYTES].decode(errors="ignore")
