"""This process's part of who is present: what it holds in memory, and the heartbeat for it."""

import asyncio
import logging
import uuid
from typing import Any

from careteam import attendance
from careteam.attendance import Seat
from careteam.conf import conf
from live.concurrency.per_loop import per_loop
from live.concurrency.supervision import keep_running
from live.concurrency.threads import in_worker_thread

logger = logging.getLogger(__name__)


class Lease:
    """The seats that subscriptions of this event loop take: `current_lease()`.

    While there are any, a task renews the lease in the database and brings what is stored in
    line with what is held here. So a process that was taken for dead (a database that was
    away, a machine that was suspended) has its people back, and what it failed to remove goes.
    """

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        # By the context of the subscription's operation, which each has for itself.
        self._seats: dict[Any, Seat] = {}
        self._beating: asyncio.Task[None] | None = None

    async def take(self, context: Any, *, room: str, person: str, name: str) -> None:
        """Let the person behind a subscription be present; raise what the database raises."""
        seat = Seat(uuid.uuid4(), self.id, room, person, name)
        # Held before it is stored, and stored no longer than it is held: see `_beat`.
        self._seats[context] = seat
        try:
            self._begin()
            await in_worker_thread(attendance.take)(seat)
        except BaseException:
            self._drop(context)
            raise

    async def leave(self, context: Any) -> None:
        """End what `take` began; nothing where it failed."""
        seat = self._drop(context)
        if seat is not None:
            await in_worker_thread(attendance.leave)([seat.id])

    def person(self, context: Any) -> str | None:
        """Return who is present by a subscription, None where nobody is yet."""
        seat = self._seats.get(context)
        return seat.person if seat is not None else None

    def _drop(self, context: Any) -> Seat | None:
        seat = self._seats.pop(context, None)
        if not self._seats and self._beating is not None:
            self._beating.cancel()
            self._beating = None
        return seat

    def _begin(self) -> None:
        if self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(
                keep_running("presence", self._beat_for_ever)
            )

    async def _beat_for_ever(self) -> None:
        while True:
            try:
                await self._beat()
            except Exception as error:
                # Its text may have names; the next beat makes good what this one did not.
                logger.error("A presence's heartbeat was missed: %s", type(error).__name__)
            await asyncio.sleep(conf.PRESENCE_LEASE_SECONDS / 3)

    async def _beat(self) -> None:
        stored = await in_worker_thread(attendance.renew)(self.id)
        # Looked at after what is stored: what was taken meanwhile is in both, or here only.
        held = {seat.id: seat for seat in self._seats.values()}
        missing = [held[id] for id in held.keys() - stored]
        await in_worker_thread(attendance.mend)(missing, stored - held.keys())
        await in_worker_thread(attendance.sweep)()


current_lease = per_loop(Lease)
