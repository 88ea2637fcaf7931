"""What is wrong with a dictionary of settings: unknown names, wrong types and values. Pure."""

import math
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

# Seconds, hours and rates may be fractions; what else is a number counts something.
_FRACTIONS = ("SECOND", "EVERY", "TIMEOUT", "HOURS", "SHARE")


def problems(
    where: str,
    given: Any,
    defaults: Mapping[str, Any],
    *,
    choices: Mapping[str, Collection[Any]],
    off_at_zero: Collection[str] = (),
    at_most: Mapping[str, str | int],
) -> list[str]:
    """Return a sentence for each problem of `given`, the value of the setting called `where`.

    Args:
        defaults: the known names; a value has its default's type.
        choices: for some names, the only values.
        off_at_zero: names of numbers that may be 0; the others are positive.
        at_most: for some numbers' names, their highest value, or the name of another number
            that they must not exceed.
    """
    if not isinstance(given, Mapping):
        return [f"{where} must be a dictionary, not {_kind(given)}."]
    found = [_unknown(where, name, defaults) for name in given if name not in defaults]
    sound = dict(defaults)
    for name, value in given.items():
        if name not in defaults:
            continue
        if name in choices:
            wrong = _not_chosen(value, choices[name])
        else:
            wrong = _misfit(name, value, defaults[name], may_be_zero=name in off_at_zero)
        if wrong:
            found.append(f"{where}[{name!r}] {wrong}.")
        else:
            sound[name] = value
    return found + list(_too_large(where, sound, at_most))


def _too_large(
    where: str, values: Mapping[str, Any], at_most: Mapping[str, str | int]
) -> Iterator[str]:
    for name, bound in at_most.items():
        most = values[bound] if isinstance(bound, str) else bound
        if values[name] > most:
            of = f"{where}[{bound!r}], which is {most}" if isinstance(bound, str) else f"{most}"
            yield f"{where}[{name!r}] is {values[name]}, and must not be more than {of}."


def _unknown(where: str, name: Any, defaults: Mapping[str, Any]) -> str:
    near = get_close_matches(str(name).upper(), defaults, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{where} has no setting {str(name)!r}.{hint}"


def _not_chosen(value: Any, allowed: Collection[Any]) -> str | None:
    if any(value is one or (isinstance(one, str) and value == one) for one in allowed):
        return None
    return f"must be one of {', '.join(map(repr, allowed))}"


def _misfit(name: str, value: Any, default: Any, *, may_be_zero: bool) -> str | None:
    if isinstance(default, int | float):
        return _no_number(name, value, may_be_zero)
    if isinstance(default, list | tuple):
        names = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return None if names else "must be a list of names"
    if value is None or isinstance(value, str):
        return None
    return f"must be a text or None, not {_kind(value)}"


def _no_number(name: str, value: Any, may_be_zero: bool) -> str | None:
    fraction = any(word in name for word in _FRACTIONS)
    kinds: Any = (int, float) if fraction else int
    if isinstance(value, bool) or not isinstance(value, kinds) or _is_endless(value):
        return f"must be a {'number' if fraction else 'whole number'}, not {_kind(value)}"
    if value < 0 or (value == 0 and not may_be_zero):
        return "must not be negative" if may_be_zero else "must be positive"
    return None


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _kind(value: Any) -> str:
    return str(value) if value is None or _is_endless(value) else type(value).__name__
