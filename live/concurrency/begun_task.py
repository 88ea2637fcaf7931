"""A task that is never cancelled before its first step."""

import asyncio
import inspect
from typing import Any, TypeVar

Value = TypeVar("Value")


class BegunTask(asyncio.Task[Value]):
    """A task whose first step always runs, even if it is cancelled at once.

    For a coroutine that gets something to await as an argument. When a loop closes, all tasks
    are cancelled; cancelled before its first step, it would never await its argument, and
    Python would warn of that.
    """

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task, after its first step."""
        coroutine: Any = self.get_coro()
        if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            # The first step was scheduled when the task was made, so it runs before this.
            self.get_loop().call_soon(super().cancel, msg)
            return True
        return super().cancel(msg)
