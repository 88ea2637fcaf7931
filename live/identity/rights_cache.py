"""What was looked up about a user's rights, remembered for a moment.

A ward's hundred screens come back together, all of one account: looking their rights up
once is enough, also for those who ask while that is under way. Nothing outlives a change of
rights: the hub has it forgotten before it handles any later event. What changes without a
word (SQL by hand) is seen after RECHECK_EVERY seconds by who asks then.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from live.concurrency.single_flight import SingleFlight
from live.concurrency.threads import in_worker_thread
from live.conf import conf

Value = TypeVar("Value")

# A user's key, and what was looked up.
Key = tuple[Any, Callable[[Any], Any]]

# Each with the time at which it was looked up.
_known: dict[Key, tuple[float, Any]] = {}
# What is being looked up.
_looks: SingleFlight[Any] = SingleFlight()
# Counts what was forgotten, so that what was looked up before is not kept after.
_forgotten = 0
MOST_KNOWN = 10_000


async def recall(user: Any, look_up: Callable[[Any], Value]) -> Value:
    """Return `look_up(user)`, a sync function that may use the ORM, or what it returned lately.

    `user` is a Django user; anonymous ones are not remembered.
    """
    if user.pk is None:
        return await _in_thread(look_up)(user)
    key = (user.pk, look_up)
    when, value = _known.get(key, (0.0, None))
    if value is not None and time.monotonic() - when < conf.RECHECK_EVERY:
        return value
    found: Value = await _looks.do(key, _look_up, key, user, _forgotten)
    return found


async def _look_up(key: Key, user: Any, forgotten: int) -> Any:
    value = await _in_thread(key[1])(user)
    if forgotten == _forgotten:
        _keep(key, value)
    return value


@functools.lru_cache(maxsize=64)
def _in_thread(look_up: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return in_worker_thread(look_up)


def _keep(key: Key, value: Any) -> None:
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[key] = (time.monotonic(), value)


def generation() -> int:
    """Return how often everything was forgotten: what was read before may be of before."""
    return _forgotten


def forget() -> None:
    """Forget everything: somebody's rights changed."""
    global _forgotten
    _forgotten += 1
    _known.clear()
    # What is being looked up may be of before: it does not answer those who ask from now on.
    _looks.forget()
