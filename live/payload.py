"""Payloads of broadcasts as bytes: MessagePack with typed extensions, models included.

The first byte is the version of this format. A process that meets another version (an
older or newer release beside it) refuses the payload instead of guessing.
"""

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any

import msgpack
from django.apps import apps
from django.db.models import Model

VERSION = 1

# MessagePack's application-specific extension codes. Never reuse one.
MODEL, DATETIME, DATE, TIME, DECIMAL, UUID = range(1, 7)


class PayloadError(ValueError):
    """A payload that cannot be packed, or bytes that cannot be unpacked."""


def pack(payload: Any) -> bytes:
    """Return `payload` as bytes.

    It may hold None, booleans, 64-bit integers, floats, strings, bytes, lists, tuples,
    dicts, models (their concrete fields), aware and naive datetimes, dates, times,
    decimals and UUIDs. Raises PayloadError that names the place of anything else.
    """
    try:
        return bytes([VERSION]) + msgpack.packb(payload, default=_extend)
    except (TypeError, ValueError, OverflowError) as error:
        place = _find_unpackable(payload)
        raise PayloadError(f"A broadcast's {place} cannot be packed") from error


def unpack(packed: bytes) -> Any:
    """Return what was packed; models come as instances that no query was made for.

    Raises PayloadError for another version's bytes, or damaged ones.
    """
    if not packed or packed[0] != VERSION:
        found = packed[0] if packed else "none"
        raise PayloadError(f"Payload version {found} is not {VERSION}: another release sent it")
    try:
        return msgpack.unpackb(memoryview(packed)[1:], ext_hook=_restore, strict_map_key=False)
    except (ValueError, LookupError, TypeError) as error:
        raise PayloadError(f"The payload is damaged ({type(error).__name__})") from error


def _extend(value: Any) -> msgpack.ExtType:
    if isinstance(value, Model):
        return msgpack.ExtType(MODEL, _pack_model(value))
    for kind, (code, encode, _) in _SCALARS.items():
        if isinstance(value, kind):
            return msgpack.ExtType(code, encode(value).encode())
    raise TypeError(type(value).__name__)


def _pack_model(instance: Model) -> bytes:
    held = instance.__dict__  # a deferred field is not read for this
    names = [f.attname for f in instance._meta.concrete_fields if f.attname in held]
    values = [held[name] for name in names]
    return msgpack.packb([instance._meta.label_lower, names, values], default=_extend)


def _restore(code: int, data: bytes) -> Any:
    if code == MODEL:
        label, names, values = msgpack.unpackb(data, ext_hook=_restore)
        return apps.get_model(label).from_db("default", names, values)
    return _DECODERS[code](data.decode())


# datetime is a date too, so it stands first.
_SCALARS: dict[type, tuple[int, Callable[[Any], str], Callable[[str], Any]]] = {
    datetime.datetime: (DATETIME, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: (DATE, datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: (TIME, datetime.time.isoformat, datetime.time.fromisoformat),
    decimal.Decimal: (DECIMAL, str, decimal.Decimal),
    uuid.UUID: (UUID, str, uuid.UUID),
}
_DECODERS = {code: decode for code, _, decode in _SCALARS.values()}


def _find_unpackable(value: Any, place: str = "payload") -> str:
    """Return where in `value` the trouble is, by keys and field names, without any value."""
    for step, part in _parts(value):
        try:
            msgpack.packb(part, default=_extend)
        except (TypeError, ValueError, OverflowError):
            return _find_unpackable(part, f"{place}{step}")
    return f"{place} ({type(value).__name__})"


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"[{key!r}]" if isinstance(key, str) else "[…]", v) for key, v in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    if isinstance(value, Model):
        fields = value._meta.concrete_fields
        return [(f".{f.name}", value.__dict__.get(f.attname)) for f in fields]
    return []
