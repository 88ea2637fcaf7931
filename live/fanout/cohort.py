"""Subscriptions that share one run: `publish` and the selection once an event, for all members."""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from graphql import ExecutionResult, GraphQLError

from live import metrics
from live.concurrency import supervision
from live.concurrency.begun_task import BegunTask
from live.concurrency.scheduler import Turns
from live.execution.response import response
from live.fanout.event_buffer import Source
from live.log.events import Event
from live.socket.protocol import encode
from live.socket.send_queue import Body

logger = logging.getLogger(__name__)

# Members written to before the loop gets its turn: about 5 ms of work.
MEMBERS_AT_ONCE = 250
# Notifications kept for those who read at their own pace, at about 1 KB each.
MOST_BODIES = 512


class Receiver(Protocol):
    """The end of a subscription: one client's operation."""

    @property
    def channel_name(self) -> str:
        """The name of the client's socket: an event may leave out one socket."""

    def deliver(self, body: Body) -> bool:
        """Send a notification, given as its payload's JSON; False: it has no room just now."""

    async def room(self) -> None:
        """Return when `deliver` may have room again."""

    def ended_by_server(self) -> None:
        """The application ended the subscription (`Subscription.unsubscribe`)."""

    def fail(self, errors: Iterable[Exception]) -> None:
        """End the subscription with errors."""


@dataclass(eq=False, slots=True)
class Member:
    """A subscription's place in a source of events.

    `since` is the number of the last event that it has had, or that was not for it; exact
    while it reads at its own pace, or is suspended, and at least the last delivered else.
    `began` is where the source was when it joined: what ended there before is not its end.
    """

    receiver: Receiver
    groups: frozenset[str]
    source: Source
    since: int
    limit: int | None = None
    joined: bool = False
    began: int = 0
    cohort: "Cohort | None" = None
    replay: "asyncio.Task[None] | None" = None


class Run(Protocol):
    """Executes the subscription's selection for one event."""

    def __call__(self, event: Event) -> ExecutionResult | Awaitable[ExecutionResult]: ...


@dataclass(eq=False)
class Cohort:
    """Members with the same document, variables and audience.

    Events are run one after the other, in the order in which they were taken. Where
    nothing has to be waited for, that happens within `take`, without a task.

    Args:
        key: what the members share; equal keys are one cohort.
        run: executes the selection.
        source: where a member finds what it missed.
        fall_behind: has a member read on from there.
        turns: what has to be waited for, or is much, goes on in pieces.
        limit: events that may wait, of which the newest are kept; None is `most_waiting`,
            beyond which the members fall behind.
    """

    key: Hashable
    run: Run
    source: Source
    fall_behind: "Callable[[Member, Cohort], None]"
    turns: Turns
    limit: int | None = None
    most_waiting: int = 1000
    members: dict[Member, None] = field(default_factory=dict)
    reading: dict[Member, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._is_delivering = False
        self._done = 0  # every event up to this number is done with
        # What was run while some read at their own pace: they mostly come together.
        self._bodies: OrderedDict[int, Body | asyncio.Task[Body | None] | None] = OrderedDict()

    # ---- members

    def add(self, member: Member) -> None:
        """Let `member` hear of the events after its `since`."""
        self._stop_reading(member)
        self.members[member] = None
        member.cohort = self

    def go_back(self, member: Member) -> None:
        """Let `member` read at its own pace what comes after its `since`."""
        self._take_out(member)
        self.reading[member] = None
        member.cohort = self

    def remove(self, member: Member) -> None:
        """Take `member` out; an event that is on its way does not reach it any more."""
        self._take_out(member)
        self._stop_reading(member)
        member.cohort = None

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left."""
        return not self.members and not self.reading

    def _take_out(self, member: Member) -> None:
        if member not in self.members:
            return
        done = self.source.position if self.is_idle else self._done
        member.since = max(member.since, done)
        del self.members[member]
        if not self.members:
            # Nobody is left for them: who is added later has had them.
            self._waiting.clear()

    def _stop_reading(self, member: Member) -> None:
        self.reading.pop(member, None)
        if not self.reading:
            self._bodies.clear()

    @property
    def is_idle(self) -> bool:
        """Whether every event taken has been delivered."""
        return self._runner is None and not self._waiting and not self._is_delivering

    # ---- live events

    def take(self, event: Event) -> None:
        """Run `event` for the members, after those that were taken before."""
        if not self.members:
            return  # those who read at their own pace find it at its source
        if self.is_idle:
            self._done = event.number - 1
            self._start(event)
        else:
            self.hold(event)

    def hold(self, event: Event) -> None:
        """Keep `event` for a later `catch_up`."""
        if not self.members:
            return
        if self.is_idle:
            self._done = event.number - 1
        if self.limit is None and len(self._waiting) >= self.most_waiting:
            self._leave_to_readers()
        else:
            self._waiting.append(event)
            self._keep_newest()

    def _keep_newest(self) -> None:
        kept = [index for index, event in enumerate(self._waiting) if not event.ends]
        if self.limit is not None and len(kept) > self.limit:
            del self._waiting[kept[0]]

    def _leave_to_readers(self) -> None:
        for member in list(self.members):
            self.fall_behind(member, self)

    @property
    def is_behind(self) -> bool:
        """Whether events wait that nothing else will run but `catch_up`."""
        return bool(self._waiting) and self._runner is None

    def catch_up(self) -> None:
        """Run the oldest event that waits, if it waits for this only."""
        if self.is_behind:
            self._start(self._waiting.popleft())

    def _start(self, event: Event) -> None:
        outcome = self._execute(event)
        if isinstance(outcome, ExecutionResult) and len(self.members) <= MEMBERS_AT_ONCE:
            self._is_delivering = True
            try:
                for _ in self._deliver(event, outcome):
                    pass
            except Exception as error:
                self._fail(error)
            finally:
                self._is_delivering = False
            self._done = event.number
            return
        self._runner = BegunTask(self._drain(event, outcome), loop=asyncio.get_running_loop())

    def stop(self) -> None:
        """Forget everything; nothing more is delivered."""
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
        self._runner = None

    def _fail(self, error: Exception) -> None:
        """End the members, so that their clients come back for what they have not had."""
        supervision.failed("cohort", error)
        for member in list(self.members):
            member.receiver.fail([error])

    async def _run_on(
        self, event: Event, outcome: ExecutionResult | Awaitable[ExecutionResult]
    ) -> None:
        while True:
            result = outcome if isinstance(outcome, ExecutionResult) else await _settle(outcome)
            for _ in self._deliver(event, result):
                await self.turns.next()
            self._done = event.number
            if not self._waiting:
                return
            event = self._waiting.popleft()
            outcome = self._execute(event)

    def _execute(self, event: Event) -> ExecutionResult | Awaitable[ExecutionResult]:
        if event.ends:
            return ExecutionResult()
        try:
            return self.run(event)
        except Exception as error:
            return _failure(error)

    def _deliver(self, event: Event, result: ExecutionResult) -> Iterator[None]:
        """Hand the result to the members; yields now and then, so that the loop can turn."""
        body = _body(result)
        if self.reading and not event.ends:
            self._remember(event.number, body)
        if body is None and not event.ends:
            return
        delivered = 0
        for count, member in enumerate(list(self.members), 1):
            # It may have left, or joined after the event, while others were written to.
            if member in self.members and member.since < event.number:
                self._hand_over(member, event, body)
                delivered += body is not None
            if count % MEMBERS_AT_ONCE == 0:
                yield
        metrics.deliveries.inc(delivered)

    def _hand_over(self, member: Member, event: Event, body: Body | None) -> None:
        member.since = event.number
        if event.excluded is not None and event.excluded == member.receiver.channel_name:
            return
        try:
            if body is None:
                member.receiver.ended_by_server()
            elif not member.receiver.deliver(body):
                member.since = event.number - 1
                self.fall_behind(member, self)
                self._remember(event.number, body)
        except Exception as error:
            # It alone is ended, so that its client knows; the others go on.
            logger.error("A notification was not delivered: %s", type(error).__name__)
            member.receiver.fail([error])

    # ---- for those who read at their own pace

    async def rendered(self, event: Event) -> Body | None:
        """Return the event's notification, None where `publish` skipped it; run once for all."""
        if event.number in self._bodies:
            body = self._bodies[event.number]
        else:
            outcome = self._execute(event)
            body = (
                _body(outcome)
                if isinstance(outcome, ExecutionResult)
                else BegunTask(_settled_body(outcome), loop=asyncio.get_running_loop())
            )
            if len(self.reading) + len(self.members) != 1:  # else nobody will ask again
                self._remember(event.number, body)
        if isinstance(body, asyncio.Task):
            # Shielded: others wait for it too.
            body = await asyncio.shield(body)
        return body

    def _remember(self, number: int, body: "Body | asyncio.Task[Body | None] | None") -> None:
        self._bodies[number] = body
        if len(self._bodies) > MOST_BODIES:
            self._bodies.popitem(last=False)


async def _settle(outcome: Awaitable[ExecutionResult]) -> ExecutionResult:
    try:
        return await outcome
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # What `publish` waited for was cancelled, not this: the next event is to run.
        return _failure(RuntimeError("publish was cancelled"))
    except Exception as error:
        return _failure(error)


async def _settled_body(outcome: Awaitable[ExecutionResult]) -> Body | None:
    return _body(await _settle(outcome))


def _failure(error: Exception) -> ExecutionResult:
    return ExecutionResult(None, [GraphQLError("", original_error=error)])


def _body(result: ExecutionResult) -> Body | None:
    try:
        return notification_body(result)
    except Exception as error:
        # A scalar of the application's gave what JSON does not have.
        return notification_body(_failure(error))


def notification_body(result: ExecutionResult) -> Body | None:
    """Return a notification's payload as JSON, None where `publish` skipped it."""
    told = result.data and any(value is not None for value in result.data.values())
    if not result.errors and not told:
        return None
    return Body(encode(response(result.data, result.errors)))
