"""Work that many ask for at the same time is done once for all of them."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")

_Place = tuple[asyncio.AbstractEventLoop, Hashable]


class SingleFlight(Generic[Value]):
    """What is under way, by key: who asks for the same meanwhile, on the same loop, waits for it.

    There is no memory in it: who asks after its end has it done anew.
    """

    def __init__(self) -> None:
        self._under_way: dict[_Place, asyncio.Task[Value]] = {}

    async def do(
        self, key: Hashable, begin: Callable[..., Coroutine[Any, Any, Value]], *arguments: Any
    ) -> Value:
        """Return what `begin(*arguments)` gives, which is called where nothing is under way.

        Raises what it raises, to all who wait.
        """
        place = asyncio.get_running_loop(), key
        task = self._under_way.get(place)
        if task is None:
            task = self._under_way[place] = place[0].create_task(begin(*arguments))
            task.add_done_callback(functools.partial(self._done, place))
        # Shielded: whoever is gone meanwhile was not the only one who asked.
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Let nobody who asks from now on wait for what is under way: it may be of before."""
        self._under_way.clear()

    def _done(self, place: _Place, task: asyncio.Task[Value]) -> None:
        if self._under_way.get(place) is task:
            del self._under_way[place]
        if not task.cancelled():
            # Those who asked get it; where all are gone, asyncio would log its text.
            task.exception()
