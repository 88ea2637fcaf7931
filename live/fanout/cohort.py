"""Subscriptions that share one run: `publish` and the selection once an event, for all members."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql import ExecutionResult

from live import metrics
from live.concurrency import supervision
from live.concurrency.begun_task import BegunTask
from live.concurrency.scheduler import Rank, Scheduler
from live.execution.response import Body
from live.fanout.event_buffer import Source
from live.fanout.member import Member
from live.fanout.notification import body_of, cancelled, failure, settled
from live.fanout.renderings import Renderings
from live.log.events import Event

logger = logging.getLogger(__name__)

# Members written to before the loop gets its turn: about 5 ms of work.
MEMBERS_AT_ONCE = 250


Outcome = ExecutionResult | Awaitable[ExecutionResult]
# From subjects, and those of them whose payload is forgotten, to what is known about each now.
Recall = Callable[[frozenset[str], frozenset[str]], Coroutine[Any, Any, Mapping[str, Any]]]


class Run(Protocol):
    """Executes the subscription's selection for one event.

    One that has a `recall` also has `replay`, which takes an event that is no news.
    """

    recall: Recall | None

    def __call__(self, event: Event) -> Outcome: ...

    def replay(self, event: Event) -> Outcome: ...


@dataclass(eq=False)
class Cohort:
    """Members with the same document, variables and audience.

    Events are run one after the other, in the order in which they were taken. Where
    nothing has to be waited for, that happens within `take`, without a task.

    Args:
        key: what the members share; equal keys are one cohort.
        run: executes the selection.
        source: where a member finds what it missed.
        fall_behind: has a member catch up from there.
        scheduler: what has to be waited for, or is much, goes on in pieces.
        limit: events that may wait, of which the newest are kept; None is `most_waiting`,
            beyond which the members fall behind.
    """

    key: Hashable
    run: Run
    source: Source
    fall_behind: "Callable[[Member, Cohort], None]"
    scheduler: Scheduler
    limit: int | None = None
    most_waiting: int = 1000
    live: dict[Member, None] = field(default_factory=dict)
    catching_up: dict[Member, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting: deque[Event] = deque()
        # Whether the scheduler has been asked to run what waits.
        self._is_scheduled = False
        self._runner: asyncio.Task[None] | None = None
        self._is_delivering = False
        self._done = 0  # every event up to this number is done with
        self._renderings = Renderings()

    # ---- members

    def add(self, member: Member) -> None:
        """Deliver the events after its `since` to `member`."""
        self._stop_catching_up(member)
        self.live[member] = None
        member.go_live(self)

    def send_back(self, member: Member, task: "asyncio.Task[None]") -> None:
        """Have `task` catch up for `member` from its `since`."""
        self._take_out(member)
        self.catching_up[member] = None
        member.catch_up(self, task)

    def remove(self, member: Member) -> None:
        """Take `member` out; an event that is on its way does not reach it any more."""
        self._take_out(member)
        self._stop_catching_up(member)

    @property
    def is_empty(self) -> bool:
        """Whether it has no members."""
        return not self.live and not self.catching_up

    def _take_out(self, member: Member) -> None:
        if member not in self.live:
            return
        done = self.source.position if self.is_idle else self._done
        member.since = max(member.since, done)
        del self.live[member]
        if not self.live:
            # Nobody is left for them: who is added later has had them.
            self._waiting.clear()

    def _stop_catching_up(self, member: Member) -> None:
        self.catching_up.pop(member, None)
        if not self.catching_up:
            self._renderings.forget()

    @property
    def is_idle(self) -> bool:
        """Whether every event taken has been delivered."""
        return self._runner is None and not self._waiting and not self._is_delivering

    # ---- live events

    def take(self, event: Event) -> None:
        """Run `event` for the members, after those that were taken before."""
        if not self.live:
            return  # those who catch up find it at its source
        if event.is_forgotten:
            self._fall_behind()  # what is known of its subject now has to be looked up
            return
        if not self.is_idle:
            self._hold(event)
            return
        self._done = event.number - 1
        if self.scheduler.begin():
            self._start(event)
        else:
            self._hold(event)

    def _hold(self, event: Event) -> None:
        """Keep `event` until those before it are done with, and there is time for it."""
        if self.limit is None and len(self._waiting) >= self.most_waiting:
            self._fall_behind()
            return
        self._waiting.append(event)
        if self.limit is not None:
            self._keep_newest(self.limit)
        self._schedule()

    def _fall_behind(self) -> None:
        for member in list(self.live):
            self.fall_behind(member, self)

    def _keep_newest(self, limit: int) -> None:
        kept = [index for index, event in enumerate(self._waiting) if not event.ends]
        if len(kept) > limit:
            del self._waiting[kept[0]]

    def _schedule(self) -> None:
        if self._waiting and self._runner is None and not self._is_scheduled:
            self._is_scheduled = True
            self.scheduler.call(self._run_next)

    def _run_next(self) -> None:
        """Run the oldest event that waits; the other cohorts have their turn before the next."""
        self._is_scheduled = False
        if self._waiting and self._runner is None:
            self._start(self._waiting.popleft())
        self._schedule()

    def _start(self, event: Event) -> None:
        outcome = self._execute(event)
        if isinstance(outcome, ExecutionResult) and len(self.live) <= MEMBERS_AT_ONCE:
            self._is_delivering = True
            try:
                for _ in self._deliver(event, outcome):
                    pass
            except Exception as error:
                self._fail(error)
            finally:
                self._is_delivering = False
            self._done = event.number
            self._schedule()
            return
        self._runner = BegunTask(self._drain(event, outcome), loop=asyncio.get_running_loop())

    def stop(self) -> None:
        """Drop members and events; nothing more is delivered."""
        self._waiting.clear()
        if self._runner:
            self._runner.cancel()

    async def _drain(
        self, event: Event, outcome: ExecutionResult | Awaitable[ExecutionResult]
    ) -> None:
        try:
            await self._run_on(event, outcome)
        except Exception as error:
            self._fail(error)
        finally:
            self._runner = None
        self._schedule()

    def _fail(self, error: Exception) -> None:
        """End the members, so that their clients come back for what they have not had."""
        supervision.report_failure("cohort", error)
        for member in list(self.live):
            try:
                member.receiver.fail([error])
            except Exception as failed:
                supervision.report_failure("cohort", failed)

    async def _run_on(
        self, event: Event, outcome: ExecutionResult | Awaitable[ExecutionResult]
    ) -> None:
        while True:
            result = outcome if isinstance(outcome, ExecutionResult) else await settled(outcome)
            for _ in self._deliver(event, result):
                await self.scheduler.turn(Rank.LIVE)
            self._done = event.number
            if self._waiting and self.scheduler.is_over:
                # Also an asynchronous `publish` may have let the loop turn at no time.
                await self.scheduler.turn(Rank.LIVE)
            if not self._waiting:
                return
            event = self._waiting.popleft()
            outcome = self._execute(event)

    def _execute(
        self, event: Event, run: Callable[[Event], Outcome] | None = None
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        if event.ends:
            return ExecutionResult()
        try:
            return (run or self.run)(event)
        except asyncio.CancelledError:
            # What `publish` asked for was cancelled; nothing that runs this was.
            return cancelled()
        except Exception as error:
            return failure(error)

    def _deliver(self, event: Event, result: ExecutionResult) -> Iterator[None]:
        """Hand the result to the members; yields now and then, so that the loop can turn."""
        body = body_of(result)
        if self.catching_up and not event.ends:
            self._renderings.keep(event.number, body)
        if body is None and not event.ends:
            return
        delivered = 0
        for count, member in enumerate(list(self.live), 1):
            # It may have left, or joined after the event, during the delivery to others.
            if member in self.live and member.since < event.number:
                self._hand_over(member, event, body)
                delivered += body is not None
            if count % MEMBERS_AT_ONCE == 0:
                yield
        metrics.deliveries.inc(delivered)

    def _hand_over(self, member: Member, event: Event, body: Body | None) -> None:
        member.since = event.number
        if event.excluded is not None and member.leaves_out(event):
            return
        try:
            if body is None:
                member.receiver.ended_by_server()
            elif not member.receiver.deliver(body):
                member.since = event.number - 1
                self.fall_behind(member, self)
                self._renderings.keep(event.number, body)
        except Exception as error:
            # It alone is ended, so that its client knows; the others go on.
            logger.error("A notification was not delivered: %s", type(error).__name__)
            member.receiver.fail([error])

    # ---- for those who catch up

    @property
    def recall(self) -> Recall | None:
        """Looks up what is known now about the subjects of events; None where nobody asks."""
        return getattr(self.run, "recall", None)

    async def rendered(self, event: Event) -> Body | None:
        """Return the event's notification, None where `publish` skipped it; run once for all."""
        if event.is_forgotten and event.recalled is None:
            return None
        self._renderings.of_time(self.source.forgets)
        run = self.run if self.recall is None else self.run.replay

        def make() -> Body | Coroutine[Any, Any, Body | None] | None:
            outcome = self._execute(event, run)
            return body_of(outcome) if isinstance(outcome, ExecutionResult) else _later(outcome)

        is_shared = len(self.catching_up) + len(self.live) != 1
        return await self._renderings.get(event.number, make, is_shared=is_shared)


async def _later(outcome: Awaitable[ExecutionResult]) -> Body | None:
    return body_of(await settled(outcome))
