"""Follows the log: every record once, in order, whatever gets lost on the way."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Protocol

from live import metrics
from live.concurrency import outage
from live.concurrency.outage import Outage
from live.concurrency.scheduler import Rank, Scheduler
from live.concurrency.threads import Pool, in_worker_thread
from live.conf import conf
from live.fanout.event_buffer import PAGE
from live.log import pending, store
from live.log.announcements import LogGrew
from live.log.cursor import Cursor, Step, step

logger = logging.getLogger(__name__)

# How long a message that came too early is kept before the log is read: two writers that
# commit one after the other may send in the other order.
PATIENCE_SECONDS = 0.02
# Records that came too early and are kept; the log has them in any case.
MOST_EARLY = 1000
# Between a look that failed and the next: shorter than elsewhere, since everybody waits for it.
RETRY_SECONDS = 0.2


class Taker(Protocol):
    """What handles the records."""

    def take(self, epoch: int, number: int, packed: bytes) -> None:
        """Handle the next record; must neither wait nor raise."""

    def begin(self, end: Cursor, *, missed: bool) -> None:
        """Go on after `end`; `missed` where that leaves out records that nobody has any more."""


class Follower:
    """A reader of the whole log, told by the channel layer, and looking for itself.

    Args:
        taker: gets each record once, in the order of the numbers.
        scheduler: a long run of records goes on in pieces.
    """

    def __init__(self, taker: Taker, scheduler: Scheduler) -> None:
        self._taker, self._scheduler = taker, scheduler
        self._end: Cursor | None = None
        self._early: dict[int, bytes] = {}
        self._patience: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._outage = Outage(logger, "The event log was not read")
        self._look = asyncio.Event()
        self.ready = asyncio.Event()
        self._read_end = in_worker_thread(pending.look, Pool.LOG)
        self._read = in_worker_thread(store.read, Pool.LOG)

    # ---- what the channel layer tells

    async def hear(self, message: LogGrew) -> None:
        """Take the records that a message brings (see live.log.append), or have them read."""
        end = Cursor(message["epoch"], message["last"])
        # With "doorbell", records come from the log only.
        records = [] if conf.BROADCAST == "doorbell" else message["records"]
        if self._end is None or end.epoch != self._end.epoch:
            self._look.set()
            return
        first = end.number - len(records) + 1
        match step(self._end.number, first, end.number):
            case Step.NEXT:
                self._heard_at = time.monotonic()
                await self._take(end.epoch, first, records)
                await self._take_early()
            case Step.GAP:
                self._keep(first, records)

    def _keep(self, first: int, records: Sequence[bytes]) -> None:
        if len(self._early) < MOST_EARLY:
            self._early.update(enumerate(records, first))
        if not records:  # it only says that there are some
            self._look.set()
        elif self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(PATIENCE_SECONDS, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        self._forget_old()
        if self._early:
            self._look.set()

    async def _take_early(self) -> None:
        while self._end and (packed := self._early.pop(self._end.number + 1, None)) is not None:
            await self._take(self._end.epoch, self._end.number + 1, [packed])

    def _forget_old(self) -> None:
        end = self._end.number if self._end else 0
        self._early = {number: packed for number, packed in self._early.items() if number > end}

    # ---- looking

    async def follow(self) -> None:
        """Look at the log, until cancelled, when something is missing or nothing is heard."""
        while True:
            self._look.clear()
            if await self._try_to_catch_up():
                await self._until_due()
            else:
                await asyncio.sleep(RETRY_SECONDS)

    async def _try_to_catch_up(self) -> bool:
        try:
            await self._catch_up()
        except Exception as error:
            metrics.log_errors.inc()
            outage.report(error, self._outage)
            return False
        outage.database.succeeded()
        self._outage.succeeded()
        return True

    async def _until_due(self) -> None:
        looked_at = time.monotonic()
        while not self._look.is_set():
            silent_for = time.monotonic() - max(self._heard_at, looked_at)
            if silent_for >= conf.POLL_EVERY:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(conf.POLL_EVERY - silent_for):
                    await self._look.wait()

    async def _catch_up(self) -> None:
        before = self._end
        end = await self._read_end()
        if before is None:
            self._begin(end, missed=False)
        elif end.epoch != before.epoch or end.number < before.number:
            logger.error("Another event log is in this one's place")
            self._begin(end, missed=True)
        else:
            await self._read_on(end)
            await self._take_early()
        self._forget_old()

    def _begin(self, end: Cursor, *, missed: bool) -> None:
        self._end = end
        self._early.clear()
        self._taker.begin(end, missed=missed)
        self.ready.set()

    async def _read_on(self, end: Cursor) -> None:
        while self._end and self._end.number < end.number:
            metrics.repairs.inc()
            first = self._end.number + 1
            rows = await self._read(first, min(first + PAGE - 1, end.number))
            if rows and rows[0][0] == first:
                await self._take(end.epoch, first, [packed for _, packed in rows])
            elif self._end.number < first:  # else a message brought them meanwhile
                logger.error("Events were pruned that had not been delivered")
                self._begin(end, missed=True)

    # ---- taking

    async def _take(self, epoch: int, first: int, records: Sequence[bytes]) -> None:
        """Take those of `records` that are next; others may be taking too, meanwhile."""
        for number, packed in enumerate(records, first):
            if self._end == (epoch, number - 1):
                self._end = Cursor(epoch, number)
                self._taker.take(epoch, number, packed)
                if len(records) > 1 and self._scheduler.is_over:
                    await self._scheduler.turn(Rank.LIVE)
