"""What GraphQL calls a response: data, and errors where there are any; and its JSON."""

import json
from collections.abc import Iterable
from typing import Any

from live.errors import AnswerTooLarge, format_error


def response(data: Any, errors: Iterable[Any] | None = None) -> dict[str, Any]:
    """Return the response with `data`; `errors` are exceptions, or formatted already.

    Without errors it has no such key: GraphQL's response format forbids `null` and `[]` there.
    """
    body: dict[str, Any] = {"data": data}
    if errors:
        body["errors"] = [
            format_error(error) if isinstance(error, Exception) else error for error in errors
        ]
    return body


def too_large() -> dict[str, Any]:
    """Return the response in place of one of more than MAX_ANSWER_BYTES."""
    return response(None, [AnswerTooLarge(limit="answer_bytes")])


class Body(str):
    """A response as JSON text; its bytes are made once for all who get it."""

    def data(self, end: bytes) -> bytes:
        """Return the text's bytes with `end` behind them: what ends a message around it."""
        made: bytes | None = self.__dict__.get(end.decode())
        if made is None:
            made = self.__dict__[end.decode()] = self.encode() + end
        return made


# Made once: `json.dumps` would make one for each call that has options.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def encode(message: dict[str, Any]) -> str:
    """Return a message, or its payload, as JSON text.

    Raises TypeError or ValueError for what JSON does not have: a NaN, an object.
    """
    text = _encode(message)
    if not text.isascii() and not _is_utf8(text):
        return json.dumps(message, separators=(",", ":"), allow_nan=False)
    return text


def _is_utf8(text: str) -> bool:
    # JSON's escapes can spell half a surrogate pair, which no frame can hold.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
