"""Places in the event log: opaque cursors for clients, and what comes next for a reader."""

import base64
import binascii
import functools
import hashlib
import hmac
import struct
from enum import Enum, auto
from typing import NamedTuple

from django.conf import settings

from live.errors import BadCursor, CursorExpired

# In front of every cursor, so that a later form can be told from this one.
VERSION = 2

_FORM = struct.Struct("!BQQ")
_SIGNATURE = 10  # bytes
# Longer texts are not even decoded.
_LENGTH = 4 * (_FORM.size + _SIGNATURE) // 3
# The cursors of version 1, which had a checksum that anybody could make.
_UNSIGNED_LENGTH = 28


class Cursor(NamedTuple):
    """A place in a log: after event `number` of the log named by `epoch`."""

    epoch: int
    number: int


def encode(cursor: Cursor) -> str:
    """Return `cursor` as clients get it: 36 characters that need no escaping in a URL."""
    place = _FORM.pack(VERSION, *cursor)
    return base64.urlsafe_b64encode(place + _signature(place, settings.SECRET_KEY)).decode()


def decode(text: str) -> Cursor:
    """Return the cursor that `encode` made `text` of, with this SECRET_KEY or a former one.

    Raises BadCursor for anything else, a mistyped cursor too: it might skip events. Raises
    CursorExpired for a cursor of a release that did not sign them.
    """
    data = _decoded(text)
    if len(text) == _UNSIGNED_LENGTH and data[:1] == b"\1":
        raise CursorExpired()
    if len(text) != _LENGTH or data[0] != VERSION:
        raise BadCursor()
    place, signature = data[: _FORM.size], data[_FORM.size :]
    keys = [settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS)]
    if not any(hmac.compare_digest(signature, _signature(place, key)) for key in keys):
        raise BadCursor()
    return Cursor(*_FORM.unpack(place)[1:])


def _decoded(text: str) -> bytes:
    if len(text) not in (_LENGTH, _UNSIGNED_LENGTH):
        raise BadCursor()
    try:
        data = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor() from None
    if base64.urlsafe_b64encode(data).decode() != text:  # base64's other alphabet
        raise BadCursor()
    return data


def _signature(place: bytes, secret: str) -> bytes:
    # Copied, since to begin one with a key takes longer than to hash a cursor.
    hasher = _hasher(secret).copy()
    hasher.update(place)
    return hasher.digest()


@functools.lru_cache(maxsize=8)
def _hasher(secret: str) -> "hashlib.blake2b":
    key = hashlib.sha256(b"live.log.cursor" + secret.encode()).digest()
    return hashlib.blake2b(key=key, digest_size=_SIGNATURE)


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
