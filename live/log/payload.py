"""Payloads of broadcasts as bytes: MessagePack with typed extensions, models included.

The first byte is the version of this format. A process that meets another version (an
older or newer release beside it) refuses the payload instead of guessing.
"""

import datetime
import decimal
import functools
import uuid
from collections.abc import Callable
from typing import Any

import msgpack
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import CharField, Field, Model, TextField
from django.utils import timezone

VERSION = 1

# MessagePack's application-specific extension codes. Never reuse one.
MODEL, DATETIME, DATE, TIME, DECIMAL, UUID = range(1, 7)

# Deeper places are not searched for: an endless one (a list in itself) has no bottom.
DEEPEST_PLACE = 20


class PayloadError(ValueError):
    """A payload that cannot be packed, or bytes that cannot be unpacked."""


def pack(payload: Any) -> bytes:
    """Return `payload` as bytes.

    It may hold None, booleans, 64-bit integers, floats, strings, bytes, lists, tuples
    (which arrive as lists), dicts, models (their concrete fields), dates, times, decimals,
    UUIDs, and datetimes: an aware one arrives as the same instant at the same offset, without
    its zone's name. Raises PayloadError that names the place of anything else.
    """
    try:
        _check_keys(payload)
        return bytes([VERSION]) + msgpack.packb(payload, default=_extend)
    except (TypeError, ValueError, OverflowError, RecursionError):
        place = _find_unpackable(payload)
        # Without its cause, which may quote a value.
        raise PayloadError(f"A broadcast's {place} cannot be packed") from None


def unpack(packed: bytes) -> Any:
    """Return what was packed; models come as instances that no query was made for.

    A field that the sender's release of a model lacks is deferred, one that only the sender
    has is left out. Raises PayloadError for another version's bytes, or damaged ones.
    """
    if not packed or packed[0] != VERSION:
        found = packed[0] if packed else "none"
        raise PayloadError(f"Payload version {found} is not {VERSION}: another release sent it")
    try:
        return msgpack.unpackb(memoryview(packed)[1:], ext_hook=_restore, strict_map_key=False)
    except Exception as error:
        # Any: what is damaged reaches decoders and models' own code. The cause may quote it.
        raise PayloadError(f"The payload is damaged ({type(error).__name__})") from None


def _check_keys(value: Any) -> None:
    """Raise TypeError for a key that would arrive as a list, which is none."""
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(key, tuple):
                raise TypeError("tuple as a key")
            _check_keys(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check_keys(part)


def _extend(value: Any) -> msgpack.ExtType:
    if isinstance(value, Model):
        return msgpack.ExtType(MODEL, _pack_model(value))
    return _extend_scalar(value)


def _extend_scalar(value: Any) -> msgpack.ExtType:
    for kind, (code, encode, _) in _SCALARS.items():
        if isinstance(value, kind):
            return msgpack.ExtType(code, encode(value).encode())
    raise TypeError(type(value).__name__)


def _pack_model(instance: Model) -> bytes:
    held = instance.__dict__  # a deferred field is not read for this
    fields = [pair for pair in _fields(type(instance)) if pair[0] in held]
    names = [name for name, _ in fields]
    values = [
        held[name] if read is None or not isinstance(held[name], str) else read(held[name])
        for name, read in fields
    ]
    return msgpack.packb([instance._meta.label_lower, names, values], default=_extend_scalar)


@functools.lru_cache(maxsize=256)
def _fields(model: type[Model]) -> tuple[tuple[str, Callable[[str], Any] | None], ...]:
    """Return the model's attnames, with what reads a string there; None where it is the value."""
    return tuple(
        (f.attname, None if isinstance(f, CharField | TextField) else functools.partial(_read, f))
        for f in model._meta.concrete_fields
    )


def _read(field: Field, text: str) -> Any:
    """Return what a save of `text` stores: a date may be assigned as a string.

    Raises ValueError for one that is no value of the field's.
    """
    try:
        value = field.to_python(text)
    except ValidationError:
        raise ValueError("no value of the field") from None  # the cause quotes it
    if settings.USE_TZ and isinstance(value, datetime.datetime) and timezone.is_naive(value):
        return timezone.make_aware(value)
    return value


def _restore(code: int, data: bytes) -> Any:
    if code == MODEL:
        # A field holds no model: damaged bytes that nest them could exhaust the C stack.
        parts = msgpack.unpackb(data, ext_hook=_restore_scalar, strict_map_key=False)
        return _restore_model(*parts)
    return _restore_scalar(code, data)


def _restore_scalar(code: int, data: bytes) -> Any:
    return _DECODERS[code](data.decode())


def _restore_model(label: str, names: list[str], values: list[Any]) -> Model:
    if len(names) != len(values):
        raise ValueError("a model's names and values differ in number")
    model, known, places = _fields_held(label, tuple(names))
    return model.from_db("default", known, [values[place] for place in places])


@functools.lru_cache(maxsize=256)
def _fields_held(label: str, names: tuple[str, ...]) -> tuple[type[Model], list[str], list[int]]:
    """Return the model, its fields that are among `names`, and each one's place there."""
    model = apps.get_model(label)
    # `from_db` goes by position, and the sender's release may have had other fields.
    known = [f.attname for f in model._meta.concrete_fields if f.attname in names]
    return model, known, [names.index(name) for name in known]


# datetime is a date too, so it stands first.
_SCALARS: dict[type, tuple[int, Callable[[Any], str], Callable[[str], Any]]] = {
    datetime.datetime: (DATETIME, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: (DATE, datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: (TIME, datetime.time.isoformat, datetime.time.fromisoformat),
    decimal.Decimal: (DECIMAL, str, decimal.Decimal),
    uuid.UUID: (UUID, str, uuid.UUID),
}
_DECODERS = {code: decode for code, _, decode in _SCALARS.values()}


def _find_unpackable(value: Any, place: str = "payload", depth: int = 0) -> str:
    """Return where in `value` the trouble is, by keys and field names, without any value."""
    for step, part in _parts(value) if depth < DEEPEST_PLACE else ():
        try:
            _check_keys(part)
            msgpack.packb(part, default=_extend)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return _find_unpackable(part, f"{place}{step}", depth + 1)
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
