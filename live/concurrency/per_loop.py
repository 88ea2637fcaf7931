"""One object for each event loop: a lock or a task cannot be used on another one."""

import asyncio
import weakref
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def per_loop(make: Callable[[], Value]) -> Callable[[], Value]:
    """Return a function that returns the running loop's own value.

    Args:
        make: makes the value, at the first call on each loop.
    """
    values: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Value]
    values = weakref.WeakKeyDictionary()

    def current() -> Value:
        loop = asyncio.get_running_loop()
        value = values.get(loop)
        if value is None:
            value = values[loop] = make()
        return value

    return current
