"""Where subscriptions that are not up to date find what they missed, without gaps."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol

from live.concurrency.single_flight import SingleFlight
from live.concurrency.threads import Pool, in_worker_thread
from live.conf import conf
from live.errors import CursorExpired
from live.log import records, store
from live.log.events import Event
from live.log.records import Kind, Record

logger = logging.getLogger(__name__)

# Records read at once. Pages begin at multiples of it, so that those who come back together
# from different places share their reads.
PAGE = 500


class Source(Protocol):
    """A sequence of events, by number."""

    @property
    def position(self) -> int:
        """The number of the last event that every cohort has been given."""

    @property
    def forgets(self) -> int:
        """How often events of it were forgotten."""

    async def after(self, number: int) -> list[Event]:
        """Return some of the events after `number`, up to `position`; none at the end."""


class EventBuffer:
    """The log, the newest part of it in memory.

    Args:
        fetch: reads records of the log, as `live.log.store.read` does.
    """

    def __init__(self, fetch: Callable[..., Awaitable[list[tuple[int, bytes]]]] | None = None):
        self.position = 0
        self.epoch = 0
        self._fetch = fetch or in_worker_thread(store.read, Pool.LOG)
        # Ordered: a plain dict takes ever longer to find its first key where many were deleted.
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._by_subject: dict[str, set[int]] = {}
        self._bytes = 0
        # How often events were forgotten: what was looked up before may not hold any more.
        self.forgets = 0
        self._reads: SingleFlight[list[Event]] = SingleFlight()

    def start_over(self, epoch: int, position: int) -> None:
        """Continue with another log, or at another place of the same one."""
        if epoch != self.epoch:
            self._events.clear()
            self._by_subject.clear()
            self._bytes = 0
            self._reads.forget()
        self.epoch, self.position = epoch, position

    def add(self, event: Event) -> None:
        """Keep `event`; the one that was added longest ago makes room."""
        if (known := self._events.get(event.number)) is not None:
            self._bytes -= len(known.packed)
        self._events[event.number] = event
        if event.subject is not None:
            self._by_subject.setdefault(event.subject, set()).add(event.number)
        self._bytes += len(event.packed)
        while (
            len(self._events) > conf.EVENTS_IN_MEMORY or self._bytes > conf.EVENT_BYTES_IN_MEMORY
        ) and self._events:
            self._drop(self._events.popitem(last=False)[1])

    def _drop(self, event: Event) -> None:
        self._bytes -= len(event.packed)
        if event.subject is not None:
            about = self._by_subject[event.subject]
            about.discard(event.number)
            if not about:
                del self._by_subject[event.subject]

    def forget(self, subject: str, before: int) -> None:
        """Take away the payloads of the events about `subject` before the number `before`."""
        self.forgets += 1
        for number in self._by_subject.get(subject, ()):
            if number < before:
                self._bytes -= len(self._events[number].packed)
                self._events[number] = self._events[number].without_payload()

    def holds(self, number: int) -> bool:
        """Whether nothing has to be read for what comes after `number`."""
        return number == self.position or number + 1 in self._events

    async def after(self, number: int) -> list[Event]:
        """Return some of the events after `number`, up to `position`; none at the end.

        Raises CursorExpired where they are not in the log any more.
        """
        if number >= self.position:
            return []
        return self._at_hand(number) or await self._read(number)

    def _at_hand(self, number: int) -> list[Event]:
        found: list[Event] = []
        while len(found) < PAGE and number < self.position:
            number += 1
            event = self._events.get(number)
            if event is None:
                break
            found.append(event)
        return found

    async def _read(self, number: int) -> list[Event]:
        first = number - number % PAGE + 1
        page = first, min(first + PAGE - 1, self.position)
        events = await self._reads.do(page, self._read_page, *page)
        found = [event for event in events if event.number > number]
        if not found or found[0].number != number + 1:
            raise CursorExpired()
        return found

    async def _read_page(self, first: int, last: int) -> list[Event]:
        epoch = self.epoch
        rows = await self._fetch(first, last)
        if epoch != self.epoch:
            # These may be the former log's, and their numbers the new one's.
            raise CursorExpired()
        events = [Event.logged(self.epoch, number, unpacked(packed)) for number, packed in rows]
        for event in events:
            self.add(event)
        return events


def unpacked(packed: bytes) -> Record:
    """Return the record; one that cannot be read says nothing, and is reported."""
    try:
        return records.unpack(packed)
    except ValueError as error:
        logger.error("A record of the log was not understood: %s", error)
        return Record(Kind.NONE)
