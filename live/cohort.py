"""Subscriptions that share one run: `publish` and the selection once an event, for all members."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql import ExecutionResult, GraphQLError

from live import metrics
from live.errors import format_error
from live.outbox import Body
from live.payload import unpack
from live.protocol import encode

logger = logging.getLogger(__name__)

# Members written to before the loop gets its turn: about 5 ms of work.
MEMBERS_AT_ONCE = 250


@dataclass(eq=False, slots=True)
class Event:
    """One broadcast, as this process took it. `number` orders events within the process."""

    number: int
    groups: frozenset[str]
    packed: bytes
    _payload: Any = None
    _unpacked: bool = False

    @property
    def payload(self) -> Any:
        """The payload, unpacked at the first look; raises PayloadError."""
        if not self._unpacked:
            self._payload = unpack(self.packed)
            self._unpacked = True
        return self._payload


class Receiver(Protocol):
    """The end of a subscription: one client's operation."""

    def deliver(self, body: Body) -> None:
        """Send a notification, given as its payload's JSON; must not wait."""

    def overflow(self) -> None:
        """The subscription cannot keep up, and may not drop: end the socket."""

    def ended_by_server(self) -> None:
        """The application ended the subscription (`Subscription.unsubscribe`)."""


@dataclass(eq=False, slots=True)
class Member:
    """A subscription's place in a cohort; `since` is the number of the last event it had."""

    receiver: Receiver
    groups: frozenset[str]
    since: int
    cohort: "Cohort | None" = None


class Run(Protocol):
    """Executes the subscription's selection for one payload."""

    def __call__(self, payload: Any) -> ExecutionResult | Awaitable[ExecutionResult]: ...


@dataclass(eq=False)
class Cohort:
    """Members with the same document, variables and audience.

    Events are run one after the other, in the order in which they were taken. Where
    nothing has to be waited for, that happens within `take`, without a task.

    Args:
        key: what the members share; equal keys are one cohort.
        run: executes the selection.
        limit: events that may wait; None is `most_waiting`, beyond which members overflow,
            while a number of the subscription's own drops the oldest, as it documents.
    """

    key: Hashable
    run: Run
    limit: int | None = None
    most_waiting: int = 100_000
    members: dict[Member, None] = field(default_factory=dict)
    paused: bool = False
    # Called once, when every event taken has been delivered.
    on_idle: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self._waiting: deque[Event] = deque(maxlen=self.limit)
        self._running: Event | None = None
        self._runner: asyncio.Task[None] | None = None

    # ---- members

    def add(self, member: Member) -> None:
        """Let `member` hear of the events after its `since`."""
        self.members[member] = None
        member.cohort = self

    def remove(self, member: Member) -> None:
        """Take `member` out; an event that is on its way does not reach it any more."""
        self.members.pop(member, None)
        member.cohort = None

    def pending(self, member: Member) -> list[Event]:
        """Return the events taken that `member` has not had yet."""
        events = [self._running] if self._running else []
        return [event for event in [*events, *self._waiting] if event.number > member.since]

    @property
    def is_idle(self) -> bool:
        """Whether every event taken has been delivered."""
        return self._runner is None and not self._waiting

    # ---- events

    def take(self, event: Event) -> None:
        """Run `event` for the members, after those that were taken before."""
        if self.paused or not self.is_idle:
            self.hold(event)
        else:
            self._start(event)

    def hold(self, event: Event) -> None:
        """Keep `event` for a later `catch_up`."""
        if self.limit is None and len(self._waiting) >= self.most_waiting:
            for member in list(self.members):
                member.receiver.overflow()
        self._waiting.append(event)

    @property
    def is_behind(self) -> bool:
        """Whether events wait that nothing else will run but `catch_up`."""
        return bool(self._waiting) and not self.paused and self._runner is None

    def catch_up(self) -> None:
        """Run the oldest event that waits, if it waits for this only."""
        if self.is_behind:
            self._start(self._waiting.popleft())
        self._tell_idle()

    def _start(self, event: Event) -> None:
        outcome = self._execute(event)
        if isinstance(outcome, ExecutionResult) and len(self.members) <= MEMBERS_AT_ONCE:
            for _ in self._deliver(event, outcome):
                pass
            return
        self._running = event
        self._runner = asyncio.get_running_loop().create_task(self._drain(event, outcome))

    def resume(self) -> None:
        """Run what waited while the cohort was paused."""
        self.paused = False
        if self._waiting and self._runner is None:
            event = self._running = self._waiting.popleft()
            outcome = self._execute(event)
            self._runner = asyncio.get_running_loop().create_task(self._drain(event, outcome))
        self._tell_idle()

    def stop(self) -> None:
        """Forget everything; nothing more is delivered."""
        self._waiting.clear()
        if self._runner:
            # Not before its first step, without which what `run` returned is never awaited.
            self._runner.get_loop().call_soon(self._runner.cancel)

    async def _drain(
        self, event: Event, outcome: ExecutionResult | Awaitable[ExecutionResult]
    ) -> None:
        while True:
            result = outcome if isinstance(outcome, ExecutionResult) else await _settle(outcome)
            for _ in self._deliver(event, result):
                await asyncio.sleep(0)
            if self.paused or not self._waiting:
                break
            event = self._running = self._waiting.popleft()
            outcome = self._execute(event)
        self._running = self._runner = None
        self._tell_idle()

    def _tell_idle(self) -> None:
        if self.on_idle and self.is_idle and not self.paused:
            on_idle, self.on_idle = self.on_idle, None
            on_idle()

    def _execute(self, event: Event) -> ExecutionResult | Awaitable[ExecutionResult]:
        try:
            return self.run(event.payload)
        except Exception as error:
            return _failure(error)

    def _deliver(self, event: Event, result: ExecutionResult) -> Iterator[None]:
        """Hand the result to the members; yields now and then, so that the loop can turn."""
        body = _body(result)
        if body is None:
            return
        delivered = 0
        for count, member in enumerate(list(self.members), 1):
            # It may have left, or joined after the event, while others were written to.
            if member.cohort is self and member.since < event.number:
                member.since = event.number
                _hand_over(member, body)
                delivered += 1
            if count % MEMBERS_AT_ONCE == 0:
                yield
        metrics.deliveries.inc(delivered)


def _hand_over(member: Member, body: Body) -> None:
    try:
        member.receiver.deliver(body)
    except Exception as error:
        # It alone is ended, so that its client knows; the others go on.
        logger.error("A notification was not delivered: %s", type(error).__name__)
        member.receiver.overflow()


async def _settle(outcome: Awaitable[ExecutionResult]) -> ExecutionResult:
    try:
        return await outcome
    except Exception as error:
        return _failure(error)


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
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [format_error(error) for error in result.errors]
    elif not result.data or all(value is None for value in result.data.values()):
        return None
    return Body(encode(body))
