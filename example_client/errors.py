"""Every way in which the client can fail, with the exit code it leads to.

ClientError
├── Refused          1   the server understood, and said no
│   └── BadFields    1   the same, field by field
├── Usage            2   the client was called in a wrong way
├── Unreachable      3   there is no server, or no answer
│   ├── NotAnEndpoint    3   something answers, but it is no GraphQL WebSocket
│   ├── ConnectionLost   3   there was a connection
│   └── Unavailable      3   the server is there, its database is not
├── NotPermitted     4   the log-in was refused, or the user may not
├── OutputLost       5   nobody takes what is printed, or what is remembered
└── EventsMissed     6   the server no longer has what came next
"""

import enum
from collections.abc import Iterable
from typing import Any

import aiohttp


class ExitCode(enum.IntEnum):
    """What the program tells its caller."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_PERMITTED = 4
    OUTPUT_LOST = 5
    EVENTS_MISSED = 6
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class ClientError(Exception):
    """A failure that the user is told of in a line, without a traceback.

    Args:
        codes: the `extensions.code` of each GraphQL error that it stands for.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, text: str, codes: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.codes = frozenset(codes)

    @property
    def lines(self) -> list[str]:
        """What to print on stderr."""
        return [f"error: {self}"]


class Refused(ClientError):
    """The server understood the request and refused it, or failed over it."""


class BadFields(Refused):
    """A mutation's `errors { field messages }`: nothing was written."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("the input was refused")
        self.errors = errors

    @property
    def lines(self) -> list[str]:
        """Return "field: message" for each message, without a field where all are meant."""
        return [
            message
            if error["field"].strip("_").lower() == "all"
            else f"{error['field']}: {message}"
            for error in self.errors
            for message in error["messages"]
        ]


class Usage(ClientError):
    """The client was called in a way that cannot work."""

    exit_code = ExitCode.USAGE


class Unreachable(ClientError):
    """The server cannot be reached or does not answer; trying again may help."""

    exit_code = ExitCode.UNREACHABLE


class NotAnEndpoint(Unreachable):
    """Something answers at the address, but it is no GraphQL WebSocket."""


class ConnectionLost(Unreachable):
    """A connection has ended.

    Args:
        code: RFC 6455's close code; 1006 where there was no closing handshake.
        reason: the server's words, or what went wrong; may be empty.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"connection lost ({code}: {reason or close_code_name(code)})")
        self.code = code
        self.reason = reason


class Unavailable(Unreachable):
    """The server's database is away; trying again later may help."""


class NotPermitted(ClientError):
    """The log-in was refused, or the user may not do this."""

    exit_code = ExitCode.NOT_PERMITTED


class OutputLost(ClientError):
    """The output or the state file cannot be written: the reader is gone, or the disk full."""

    exit_code = ExitCode.OUTPUT_LOST


class EventsMissed(ClientError):
    """What came after the last event is not in the server's log any more."""

    exit_code = ExitCode.EVENTS_MISSED


# Another attempt would only meet the same answer: the message itself was wrong or too much.
PERMANENT_CLOSE_CODES = {4400, 4401, 4406, 4409, 4413, 4429}
FORBIDDEN_CLOSE_CODE = 4403


def close_code_name(code: int) -> str:
    """Return RFC 6455's name of a close code in words: "going away"."""
    try:
        return aiohttp.WSCloseCode(code).name.replace("_", " ").lower()
    except ValueError:
        return "no reason given"


def from_close(code: int, reason: str) -> ClientError:
    """Return the error that a closed connection means."""
    said = reason or close_code_name(code)
    if code == FORBIDDEN_CLOSE_CODE:
        return NotPermitted(f"the server ended the session ({code}: {said})")
    if code in PERMANENT_CLOSE_CODES:
        return Refused(f"the server refused the connection ({code}: {said})")
    return ConnectionLost(code, reason)


def from_graphql(errors: Any) -> ClientError:
    """Return the error that GraphQL's list of `errors` means; takes any JSON value."""
    listed = errors if isinstance(errors, list) else []
    found = [error for error in listed if isinstance(error, dict)]
    text = "; ".join(_described(error) for error in found) or "the server gave no reason"
    codes = {code_of(error) for error in found} - {""}
    if codes & {"UNAUTHENTICATED", "FORBIDDEN"}:
        return NotPermitted(text, codes)
    if "UNAVAILABLE" in codes:
        return Unavailable(text, codes)
    return Refused(text, codes)


def _described(error: dict[str, Any]) -> str:
    text = str(error.get("message") or "an error without a message")
    extensions = error.get("extensions")
    details = [code_of(error)]
    if isinstance(extensions, dict) and "id" in extensions:  # where to find it in the server's log
        details.append(str(extensions["id"]))
    if details[0] == "UNAUTHENTICATED":
        details.append("give --user")
    return f"{text} ({', '.join(details)})" if details[0] else text


def code_of(error: dict[str, Any]) -> str:
    """Return a GraphQL error's `extensions.code`, "" without one."""
    extensions = error.get("extensions")
    return str(extensions.get("code") or "") if isinstance(extensions, dict) else ""
