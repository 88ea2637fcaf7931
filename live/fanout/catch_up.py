"""Subscriptions that read events at their own pace: who comes back, and who cannot keep up."""

import asyncio

from live import metrics
from live.concurrency import outage
from live.concurrency.cancellation import is_own_cancellation
from live.concurrency.fair_share import counting_in
from live.concurrency.scheduler import Rank, Scheduler
from live.fanout.cohort import Cohort
from live.fanout.event_buffer import Source
from live.fanout.member import Member, State
from live.log.events import Event

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
        while events := await self._after(cohort.source, member.since):
            if self._scheduler.is_over:
                # Those who waited for the same read go on in the same turn of the loop.
                await self._turn(member)
            for event in events:
                if not event.groups.isdisjoint(member.groups):
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

    async def _after(self, source: Source, number: int) -> list[Event]:
        while True:
            try:
                events = await source.after(number)
            except outage.DATABASE_ERRORS as error:
                metrics.log_errors.inc()
                outage.database.failed(error)
                await asyncio.sleep(outage.RETRY_SECONDS)
            else:
                outage.database.succeeded()
                return events
