"""Work that is done once for all who ask for it at the same time."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")

_Place = tuple[asyncio.AbstractEventLoop, Hashable]


class SingleFlight(Generic[Value]):
    """Work under way, by key. Callers with the same key on the same loop share its result.

    Nothing is cached: a call after the end begins the work again.
    """

    def __init__(self) -> None:
        self._under_way: dict[_Place, asyncio.Task[Value]] = {}

    async def do(
        self, key: Hashable, begin: Callable[..., Coroutine[Any, Any, Value]], *arguments: Any
    ) -> Value:
        """Return the result of `begin(*arguments)`, called only if no work is under way.

        Raises what it raises, for all who wait.
        """
        place = asyncio.get_running_loop(), key
        task = self._under_way.get(place)
        if task is None:
            task = self._under_way[place] = place[0].create_task(begin(*arguments))
            task.add_done_callback(functools.partial(self._done, place))
        # Shielded: a caller that is cancelled must not cancel the work of the others.
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Let later calls begin their own work: what is under way may be outdated."""
        self._under_way.clear()

    def _done(self, place: _Place, task: asyncio.Task[Value]) -> None:
        if self._under_way.get(place) is task:
            del self._under_way[place]
        if not task.cancelled():
            # The callers get the error. If all of them are gone, asyncio would log its text.
            task.exception()
