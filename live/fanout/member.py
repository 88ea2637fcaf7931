"""A subscription's place among the events of its source, and who owns that."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from live.execution.response import Body
from live.fanout.event_buffer import Source
from live.log.events import Event


class Receiver(Protocol):
    """The end of a subscription: one client's operation."""

    @property
    def channel_name(self) -> str:
        """The name of the client's connection: an event may leave out one of them."""

    def deliver(self, body: Body) -> bool:
        """Send a notification, given as its payload's JSON; False: it has no room just now."""

    async def room(self) -> None:
        """Return when `deliver` may have room again."""

    def ended_by_server(self) -> None:
        """The application ended the subscription (`Subscription.unsubscribe`)."""

    def fail(self, errors: Iterable[Exception]) -> None:
        """End the subscription with errors."""


class State(Enum):
    """How a subscription gets its events."""

    NEW = auto()  # it has not joined yet
    LIVE = auto()  # from its cohort, as they come
    CATCHING_UP = auto()  # from its source, at its own pace
    SUSPENDED = auto()  # not now: it is not known what its client may see
    ENDED = auto()  # never again


@dataclass(eq=False, slots=True)
class Member:
    """A subscription in a hub. Only its own methods change its state.

    Args:
        receiver: gets its notifications.
        groups: the hub's names of its groups.
        source: where its events are, in order.
        since: the number of the last event that it has had, or that was not for it. Exact while
            it catches up or is suspended; while it is live, at least the last delivered.
        limit: of a client that is slow, only so many notifications wait, the newest.
    """

    receiver: Receiver
    groups: frozenset[str]
    source: Source
    since: int
    limit: int | None = None
    state: State = State.NEW
    # Where the source was when it joined: what ended there before is not its end.
    began: int = 0
    # The cohort whose runs it shares, while it is live or catches up.
    cohort: Any = None
    _task: "asyncio.Task[None] | None" = None

    def join(self) -> bool:
        """Become a member; return False for one that has ended already."""
        if self.state is not State.NEW:
            return False
        self.state, self.began = State.SUSPENDED, self.source.position
        return True

    def go_live(self, cohort: Any) -> None:
        """Get the events after `since` from `cohort`."""
        self.state, self.cohort, self._task = State.LIVE, cohort, None

    def catch_up(self, cohort: Any, task: "asyncio.Task[None]") -> None:
        """Read the events after `since`; `task` does it, with the runs of `cohort`."""
        self.state, self.cohort, self._task = State.CATCHING_UP, cohort, task

    def is_read_by(self, task: "asyncio.Task[None] | None") -> bool:
        """Whether it is still `task` that catches up for it."""
        return task is not None and self._task is task

    def suspend(self) -> None:
        """Get nothing for now; events wait in the source meanwhile."""
        self._leave()
        self.state = State.SUSPENDED

    def end(self) -> None:
        """Get nothing any more."""
        self._leave()
        self.state = State.ENDED

    def _leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self.cohort = self._task = None

    # ---- events

    def leaves_out(self, event: Event) -> bool:
        """Whether the event is withheld from its client, which caused it."""
        return event.excluded == self.receiver.channel_name
