"""Places in the event log: opaque cursors for clients, and what comes next for a reader. Pure."""

import base64
import binascii
import struct
import zlib
from enum import Enum, auto
from typing import NamedTuple

from live.errors import BadCursor

# In front of every cursor, so that a later form can be told from this one.
VERSION = 1

_FORM = struct.Struct("!BQQ")
_CHECKSUM = struct.Struct("!I")
# Longer texts are not even decoded.
_LENGTH = 4 * (_FORM.size + _CHECKSUM.size) // 3


class Cursor(NamedTuple):
    """A place in a log: after event `number` of the log named by `epoch`."""

    epoch: int
    number: int


def encode(cursor: Cursor) -> str:
    """Return `cursor` as clients get it: 28 characters that need no escaping in a URL."""
    place = _FORM.pack(VERSION, *cursor)
    return base64.urlsafe_b64encode(place + _CHECKSUM.pack(zlib.crc32(place))).decode()


def decode(text: str) -> Cursor:
    """Return the cursor that `encode` made `text` of; raise BadCursor for anything else.

    A mistyped cursor has another checksum: it is refused, where it might skip events.
    """
    if len(text) != _LENGTH:
        raise BadCursor()
    try:
        data = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor() from None
    cursor = Cursor(*_FORM.unpack_from(data)[1:])
    # Another version, another checksum, or base64's other alphabet.
    if encode(cursor) != text:
        raise BadCursor()
    return cursor


class Step(Enum):
    """How events that are told of stand to those that a reader has had."""

    NEXT = auto()
    OLD = auto()
    GAP = auto()


def step(position: int, first: int, last: int) -> Step:
    """Tell how the events `first` … `last` stand to a reader who has had those to `position`."""
    if last <= position:
        return Step.OLD
    return Step.NEXT if first <= position + 1 else Step.GAP
