"""A DataLoader without a cache: what many ask for at the same time is looked up in batches."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from live.concurrency.per_loop import per_loop

Key = TypeVar("Key")
Value = TypeVar("Value")

# Keys in one batch. Those who asked for them all go on in one turn of the loop, which must be
# short.
MOST_IN_A_BATCH = 20


class Loader(Generic[Key, Value]):
    """Collects the keys that are asked for during a look-up; they are the next batch.

    A restarted server's clients come back all at once. A single key does not wait for a batch
    to fill: where no look-up is under way, it is a batch of its own. Nothing is cached: each
    key is looked up after it was asked for.

    Args:
        look_up: takes keys, and returns the value of each in their order. Whatever it raises is
            raised for all keys of the batch, so validate keys before `load`.
    """

    def __init__(self, look_up: Callable[[list[Key]], Awaitable[Sequence[Value]]]) -> None:
        self._look_up = look_up
        self._queue = per_loop(_Queue)

    async def load(self, key: Key) -> Value:
        """Return the value of `key`, looked up now."""
        loop, queue = asyncio.get_running_loop(), self._queue()
        answer: asyncio.Future[Value] = loop.create_future()
        queue.waiting.append((key, answer))
        if queue.worker is None:
            queue.worker = loop.create_task(self._work(queue))
        return await answer

    async def _work(self, queue: "_Queue") -> None:
        try:
            while queue.waiting:
                await self._answer(queue.next_batch())
        finally:
            queue.worker = None

    async def _answer(self, batch: "list[tuple[Key, asyncio.Future[Value]]]") -> None:
        try:
            values = await self._look_up([key for key, _ in batch])
        except Exception as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), value in zip(batch, values, strict=True):
            if not answer.done():  # else its task was cancelled
                answer.set_result(value)


class _Queue:
    """The keys that are asked for on one event loop."""

    def __init__(self) -> None:
        self.waiting: deque = deque()
        # Kept here, as the loop holds its tasks weakly.
        self.worker: asyncio.Task[None] | None = None

    def next_batch(self) -> list:
        return [self.waiting.popleft() for _ in range(min(len(self.waiting), MOST_IN_A_BATCH))]
