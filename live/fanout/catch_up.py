"""Subscriptions that read events at their own pace: who comes back, and who cannot keep up."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from live import metrics
from live.concurrency import outage
from live.concurrency.cancellation import is_own_cancellation
from live.concurrency.fair_share import counting_in
from live.concurrency.scheduler import Rank, Scheduler
from live.concurrency.single_flight import SingleFlight
from live.conf import conf
from live.fanout.cohort import Cohort, Recall
from live.fanout.event_buffer import Source
from live.fanout.member import Member, State
from live.log.events import Event

Answer = TypeVar("Answer")

# Events read in one piece: by no more than this do those who read together get apart, so that
# what was run for the first of them is still there for the last (see Renderings).
EVENTS_AT_ONCE = 128


class CatchUp:
    """Lets members read from their place to the end, where they are live again.

    However many they are, one of them works in each turn of the loop: live events go before.
    It is the one that is furthest behind, so that all soon read together and each event is run
    once; but who has little left does not wait for those who have much.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._recalls: SingleFlight[Mapping[str, Any]] = SingleFlight()

    def start(self, member: Member, cohort: Cohort) -> None:
        """Have a member of `cohort` read on from its `since`."""
        task = asyncio.get_running_loop().create_task(self._catch_up(member, cohort))
        cohort.send_back(member, task)
        metrics.replaying.inc()

    def count_out(self, member: Member) -> None:
        """Count a member that reads no further as one less; `since` is what it has had."""
        if member.state is State.CATCHING_UP:
            metrics.replaying.dec()

    async def _catch_up(self, member: Member, cohort: Cohort) -> None:
        try:
            # What is run here is shared: it counts for no client.
            with counting_in(None):
                await self._read_on(member, cohort)
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
            # A read that it shares with others was cancelled.
            member.receiver.fail([RuntimeError("reading was cancelled")])
            return
        except Exception as error:
            # The client knows by it that it has to come back.
            member.receiver.fail([error])
            return
        if member.is_read_by(asyncio.current_task()):
            self.count_out(member)
            cohort.add(member)

    async def _read_on(self, member: Member, cohort: Cohort) -> None:
        await self._turn(member)
        recall = cohort.recall
        while events := await self._after(cohort.source, member.since):
            if self._scheduler.is_over:
                # Those who waited for the same read go on in the same turn of the loop.
                await self._turn(member)
            for event in events:
                if not event.groups.isdisjoint(member.groups):
                    if recall is not None and self._is_unknown(event, cohort.source):
                        await self._recollect(member, recall, event, events)
                    await self._deliver(member, cohort, event)
                if not member.is_read_by(asyncio.current_task()):
                    return  # the event was its end
                member.since = event.number
                if self._scheduler.is_over or event.number % EVENTS_AT_ONCE == 0:
                    await self._turn(member)

    async def _turn(self, member: Member) -> None:
        left = member.source.position - member.since
        order = 0 if left <= EVENTS_AT_ONCE else member.since + 1
        await self._scheduler.turn(Rank.CATCHING_UP, order)

    async def _deliver(self, member: Member, cohort: Cohort, event: Event) -> None:
        if event.ends:
            if event.number > member.began:
                member.receiver.ended_by_server()
            return
        if event.excluded is not None and member.leaves_out(event):
            return
        body = await cohort.rendered(event)
        if self._scheduler.is_over:
            # As with reads, many may have waited for the same run.
            await self._turn(member)
        while body is not None and not member.receiver.deliver(body):
            await member.receiver.room()
            await self._turn(member)
        if body is not None:
            metrics.deliveries.inc()

    async def _recollect(
        self, member: Member, recall: Recall, event: Event, events: list[Event]
    ) -> None:
        """Have it looked up what is known now about `event`, and those of `events` after it."""
        source = member.source
        asked = [
            each
            for each in events
            if each.number >= event.number
            and self._is_unknown(each, source)
            and not each.groups.isdisjoint(member.groups)
        ]
        now = source.forgets, time.monotonic()
        subjects = frozenset(str(each.subject) for each in asked)
        forgotten = frozenset(str(each.subject) for each in asked if each.is_forgotten)
        found = await self._persevere(
            lambda: self._recalls.do((recall, subjects, forgotten), recall, subjects, forgotten)
        )
        for each in asked:
            each.recalled, each.recalled_at = found.get(str(each.subject)), now

    def _is_unknown(self, event: Event, source: Source) -> bool:
        if event.subject is None:
            return False
        forgets, when = event.recalled_at or (None, 0.0)
        return forgets != source.forgets or time.monotonic() - when > conf.RECHECK_EVERY

    async def _after(self, source: Source, number: int) -> list[Event]:
        return await self._persevere(lambda: source.after(number))

    async def _persevere(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return what `ask` returns, again and again while the database is away."""
        while True:
            try:
                answer = await ask()
            except outage.DATABASE_ERRORS as error:
                metrics.log_errors.inc()
                outage.database.failed(error)
                await asyncio.sleep(outage.RETRY_SECONDS)
            else:
                outage.database.succeeded()
                return answer
