"""What was looked up about users' rights, kept for RECHECK_EVERY seconds.

A ward's hundred screens come back together, all with one account: one look-up serves them,
also those who ask while it is under way. The hub clears the cache at each change of rights,
before it handles any later event. Changes without a signal (SQL by hand) are noticed after
RECHECK_EVERY seconds.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from live.concurrency.single_flight import SingleFlight
from live.concurrency.threads import Pool, in_worker_thread
from live.conf import conf

Value = TypeVar("Value")

# A user's primary key, and the function that looks up.
Key = tuple[Any, Callable[[Any], Any]]

# Values, each with the monotonic time of its look-up.
_cached: dict[Key, tuple[float, Any]] = {}
_look_ups: SingleFlight[Any] = SingleFlight()
# How often the cache was cleared: a look-up that began before is not kept.
_clearings = 0
MOST_CACHED = 10_000


async def cached_rights(user: Any, look_up: Callable[[Any], Value]) -> Value:
    """Return `look_up(user)`, a sync function that may use the ORM, or its cached value.

    `user` is a Django user. For an anonymous one nothing is cached.
    """
    if user.pk is None:
        return await _in_thread(look_up)(user)
    key = (user.pk, look_up)
    when, value = _cached.get(key, (0.0, None))
    if value is not None and time.monotonic() - when < conf.RECHECK_EVERY:
        return value
    found: Value = await _look_ups.do(key, _look_up, key, user, _clearings)
    return found


async def _look_up(key: Key, user: Any, clearings_before: int) -> Any:
    value = await _in_thread(key[1])(user)
    if clearings_before == _clearings:
        _keep(key, value)
    return value


@functools.lru_cache(maxsize=64)
def _in_thread(look_up: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return in_worker_thread(look_up, Pool.RIGHTS)


def _keep(key: Key, value: Any) -> None:
    if len(_cached) >= MOST_CACHED:
        _cached.clear()
    _cached[key] = (time.monotonic(), value)


def clearings() -> int:
    """Return how often the cache was cleared: another number means that rights have changed."""
    return _clearings


def clear() -> None:
    """Empty the cache: somebody's rights changed."""
    global _clearings
    _clearings += 1
    _cached.clear()
    # Look-ups under way may have read the old rights: they do not answer later calls.
    _look_ups.forget()
