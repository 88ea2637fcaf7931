"""What a client's message must look like: the one place where their form is checked."""

import json
import math
from dataclasses import dataclass
from typing import Any

# For each type: whether it has an id, and what its payload may be.
TRANSPORT_WS_TYPES = {
    "connection_init": (False, "object, absent or empty"),
    "ping": (False, "object or absent"),
    "pong": (False, "object or absent"),
    "subscribe": (True, "request"),
    "complete": (True, "ignored"),
}
LEGACY_TYPES = {
    "connection_init": (False, "object, absent or empty"),
    "start": (True, "request"),
    "stop": (True, "ignored"),
    "connection_terminate": (False, "ignored"),
}
# A request's parameters beside the query: name → (type, what to call it).
REQUEST_FIELDS: dict[str, tuple[type, str]] = {
    "operationName": (str, "a string"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}
# Arrays and objects within one another. A real client's variables have a handful; what reads
# a message later (coercion, sorting, an echo) is recursive, and must not meet its limit.
MAX_NESTING = 100


class Malformed(Exception):
    """A message that is not one. `reason` says what is wrong without quoting it."""

    def __init__(self, reason: str, id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.id = id


@dataclass(frozen=True, slots=True)
class Message:
    """A client's message of a known type; `id` is "" where the type has none."""

    type: str
    id: str = ""
    payload: dict[str, Any] | None = None


def read_message(text: str | None, *, legacy: bool) -> Message:
    """Return the message in a frame's text; None stands for a binary frame.

    Raises Malformed for anything that the subprotocol does not know. Types are
    case-sensitive, ids are non-empty strings; unknown members are left alone.
    """
    value = _read_object(text)
    types = LEGACY_TYPES if legacy else TRANSPORT_WS_TYPES
    id = value.get("id")
    known_id = id if isinstance(id, str) and id else None
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in types:
        reason = "Message type is missing" if kind is None else "Message type is unknown"
        raise Malformed(reason, known_id)
    has_id, payload_form = types[kind]
    if has_id and known_id is None:
        raise Malformed("Message id must be a non-empty string")
    payload = _read_payload(value.get("payload"), payload_form, known_id)
    return Message(kind, known_id or "" if has_id else "", payload)


def _read_object(text: str | None) -> dict[str, Any]:
    if text is None:
        raise Malformed("Message must be text, not binary")
    value = _read_json(text)
    if not isinstance(value, dict):
        raise Malformed("Message must be an object")
    # Only a text with many brackets can be nested deeply, and has to be looked through.
    if text.count("[") + text.count("{") > MAX_NESTING and _nesting(value) > MAX_NESTING:
        raise Malformed("Message is nested too deeply")
    return value


def _read_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError:
        raise Malformed("Message is not JSON") from None
    except RecursionError:
        raise Malformed("Message is nested too deeply") from None
    except ValueError:  # an integer of more digits than Python converts
        raise Malformed("Message has a number that is too large") from None


def _refuse_constant(name: str) -> None:
    raise Malformed("Message is not JSON")  # NaN and Infinity are Python's


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        # JSON allows 1e999, but has no way to send it back.
        raise Malformed("Message has a number that is too large")
    return number


def _nesting(value: Any) -> int:
    """Return how many arrays and objects are within one another, without recursion."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            below for each in level for below in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _read_payload(payload: Any, form: str, id: str | None) -> dict[str, Any] | None:
    if form == "ignored":
        return None
    if payload is None and form != "request":
        return None
    # The library's own Python client sends an empty string for no payload.
    if payload == "" and form == "object, absent or empty":
        return None
    if not isinstance(payload, dict):
        raise Malformed("Message payload must be an object", id)
    if form == "request":
        _check_request(payload, id)
    return payload


def _check_request(payload: dict[str, Any], id: str | None) -> None:
    if not isinstance(payload.get("query"), str):
        raise Malformed("Message payload's query must be a string", id)
    for name, (kind, called) in REQUEST_FIELDS.items():
        if payload.get(name) is not None and not isinstance(payload[name], kind):
            raise Malformed(f"Message payload's {name} must be {called}", id)


def is_longer(text: str, most: int) -> bool:
    """Whether `text` has more than `most` bytes in UTF-8; cheap for one that is far longer."""
    return len(text) > most or len(text.encode(errors="replace")) > most
