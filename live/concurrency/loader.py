"""Look-ups made together: a restarted server's clients come back all at once."""

import asyncio
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

# Keys looked up together. Those who asked go on in one turn of the loop, which may not be long.
MOST_AT_ONCE = 20


class Batches(Generic[Key, Value]):
    """Gathers what is asked for while a look-up is under way, and looks it up in one.

    Nobody waits for a batch to fill: where nothing is under way, one key is a batch. There
    is no memory in it: each key is looked up after it was asked for.

    Args:
        look_up: takes keys, and returns the value of each in their order. What it raises is
            raised to all who asked: a key that it cannot take must not get here.
    """

    def __init__(self, look_up: Callable[[list[Key]], Awaitable[Sequence[Value]]]) -> None:
        self._look_up = look_up
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = (
            weakref.WeakKeyDictionary()
        )

    async def ask(self, key: Key) -> Value:
        """Return the value of `key`, looked up now."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Value] = loop.create_future()
        queue = self._loops.get(loop)
        if queue is None:
            queue = self._loops[loop] = _Queue()
            queue.worker = loop.create_task(self._work(loop, queue))
        queue.waiting.append((key, answer))
        return await answer

    async def _work(self, loop: asyncio.AbstractEventLoop, queue: "_Queue") -> None:
        try:
            while queue.waiting:
                await self._answer(queue.next_batch())
        finally:
            del self._loops[loop]

    async def _answer(self, batch: "list[tuple[Key, asyncio.Future[Value]]]") -> None:
        try:
            values = await self._look_up([key for key, _ in batch])
        except Exception as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), value in zip(batch, values, strict=True):
            if not answer.done():  # else whoever asked is gone
                answer.set_result(value)


class _Queue:
    """What is asked for on one event loop."""

    worker: "asyncio.Task[None]"  # the loop itself would hold it weakly only

    def __init__(self) -> None:
        self.waiting: deque = deque()

    def next_batch(self) -> list:
        return [self.waiting.popleft() for _ in range(min(len(self.waiting), MOST_AT_ONCE))]
