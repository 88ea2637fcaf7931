"""Tasks that are never cancelled before they have begun."""

import asyncio
import inspect
from typing import Any, TypeVar

Value = TypeVar("Value")


class BegunTask(asyncio.Task[Value]):
    """A task whose first step runs, also where it is cancelled at once.

    For one that is given something to await: cancelled before its first step (as all tasks
    are when a loop closes), it would never await it, and Python would warn of that.
    """

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task, after its first step."""
        coroutine: Any = self.get_coro()
        if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            # The loop has the first step before this: it was scheduled when the task was made.
            self.get_loop().call_soon(super().cancel, msg)
            return True
        return super().cancel(msg)
