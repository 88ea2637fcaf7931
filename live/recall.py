"""What was looked up about a user's rights, remembered for a moment.

A ward's hundred screens come back together, all of one account: looking their rights up
once is enough, also for those who ask while that is under way. Nothing outlives a change of
rights: the hub has it forgotten before it handles any later event. What changes without a
word (SQL by hand) is seen after RECHECK_EVERY seconds by who asks then.
"""

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from live.conf import conf
from live.threads import in_worker_thread

Value = TypeVar("Value")

# A user's key, and what was looked up.
Key = tuple[Any, Callable[[Any], Any]]

# Each with the time at which it was looked up.
_known: dict[Key, tuple[float, Any]] = {}
# What is being looked up, on each event loop.
_asked: dict[tuple[asyncio.AbstractEventLoop, Key], asyncio.Task[Any]] = {}
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
    # Shielded: whoever is gone meanwhile was not the only one who asked.
    return await asyncio.shield(_asked_for(key, user))


def _asked_for(key: Key, user: Any) -> asyncio.Task[Any]:
    """Return the look-up that is under way, or a new one."""
    loop = asyncio.get_running_loop()
    asked = _asked.get((loop, key))
    if asked is None:
        asked = _asked[loop, key] = loop.create_task(_look_up(key, user, _forgotten))
        asked.add_done_callback(functools.partial(_answered, (loop, key)))
    return asked


async def _look_up(key: Key, user: Any, forgotten: int) -> Any:
    value = await _in_thread(key[1])(user)
    if forgotten == _forgotten:
        _keep(key, value)
    return value


def _answered(asked: tuple[asyncio.AbstractEventLoop, Key], task: asyncio.Task[Any]) -> None:
    if _asked.get(asked) is task:
        del _asked[asked]
    if not task.cancelled():
        # Those who asked get it; where all are gone, asyncio would log its text.
        task.exception()


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
    _asked.clear()
