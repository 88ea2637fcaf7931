"""What was looked up about a user's rights, remembered for a moment.

A ward's hundred screens come back together, all of one account: looking their rights up
once is enough. Nothing outlives a change of rights: the hub has it forgotten before it
handles any later event. What changes without a word (SQL by hand) is seen after
RECHECK_EVERY seconds, as everywhere.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from live.conf import conf
from live.threads import in_worker_thread

Value = TypeVar("Value")

# (user's key, what was looked up) → (when, the value)
_known: dict[tuple[Any, Callable[[Any], Any]], tuple[float, Any]] = {}
# Counts what was forgotten, so that what was looked up before is not kept after.
_forgotten = 0
MOST_KNOWN = 10_000


async def recall(user: Any, look_up: Callable[[Any], Value]) -> Value:
    """Return `look_up(user)`, a sync function that may use the ORM, or what it returned lately.

    `user` is a Django user; anonymous ones are not remembered.
    """
    key = (user.pk, look_up)
    when, value = _known.get(key, (0.0, None))
    if value is not None and time.monotonic() - when < conf.RECHECK_EVERY:
        return value
    forgotten = _forgotten
    value = await in_worker_thread(look_up)(user)
    if user.pk is not None and forgotten == _forgotten:
        _keep(key, value)
    return value


def _keep(key: tuple[Any, Callable[[Any], Any]], value: Any) -> None:
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[key] = (time.monotonic(), value)


def forget() -> None:
    """Forget everything: somebody's rights changed."""
    global _forgotten
    _forgotten += 1
    _known.clear()
