"""A cohort's newest notifications, for its members that are not up to date."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from live.concurrency.begun_task import BegunTask
from live.concurrency.bounded_cache import BoundedCache
from live.execution.response import Body

# Those who catch up mostly come together.
MOST_KEPT = 512
MOST_CHARACTERS_KEPT = 1_048_576


class Renderings:
    """An event's notification by the event's number; None where `publish` skipped it."""

    def __init__(self) -> None:
        self._kept: BoundedCache[Body | asyncio.Task[Body | None] | None] = BoundedCache()
        self._forgets = 0

    def keep(self, number: int, body: "Body | asyncio.Task[Body | None] | None") -> None:
        """Keep a notification, or the task that makes it; the oldest makes room."""
        weight = len(body) if isinstance(body, str) else 0
        bounds = {"most": MOST_KEPT, "most_weight": MOST_CHARACTERS_KEPT}
        self._kept.keep(number, body, weight, **bounds)

    def of_time(self, forgets: int) -> None:
        """Drop what is kept if events have been forgotten since: see `Source.forgets`."""
        if forgets != self._forgets:
            self._forgets = forgets
            self.forget()

    def forget(self) -> None:
        """Drop what is kept: nobody will ask for it."""
        self._kept.clear()

    async def get(
        self,
        number: int,
        make: Callable[[], Body | Coroutine[Any, Any, Body | None] | None],
        *,
        is_shared: bool,
    ) -> Body | None:
        """Return what is kept, or what `make` makes, at once or awaited; once for all who ask.

        Args:
            is_shared: whether others will ask for it too.
        """
        if number in self._kept:
            body = self._kept[number]
        else:
            made = make()
            body = (
                BegunTask(made, loop=asyncio.get_running_loop())
                if asyncio.iscoroutine(made)
                else made
            )
            if is_shared:
                self.keep(number, body)
        # Shielded: others wait for it too.
        return await self._made(number, body) if isinstance(body, asyncio.Task) else body

    async def _made(self, number: int, task: "asyncio.Task[Body | None]") -> Body | None:
        body = await asyncio.shield(task)
        if number in self._kept and self._kept[number] is task:
            self.keep(number, body)  # with its weight
        return body
