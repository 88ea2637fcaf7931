"""Parts that the engine's tests put into a hub: clients that remember, and runs they control."""

import asyncio
import json
import math

from graphql import ExecutionResult

from live.log import records
from live.log.cursor import Cursor
from live.log.events import Event
from live.log.payload import pack

EPOCH = 7


class Client:
    """A receiver that remembers what it was told.

    Args:
        takes: notifications that it has room for; `take_more` makes room.
    """

    def __init__(self, takes=math.inf):
        self.bodies = []
        self.errors = []
        self.ends = 0
        self.on_deliver = self.on_end = None
        self._takes = takes
        self._has_room = asyncio.Event()

    def deliver(self, body):
        """Remember a notification, if there is room."""
        if not self._takes:
            return False
        self._takes -= 1
        self.bodies.append(json.loads(body))
        if self.on_deliver:
            self.on_deliver()
        return True

    async def room(self):
        """Return when there is room."""
        if not self._takes:
            self._has_room.clear()
            await self._has_room.wait()

    def take_more(self, count=math.inf):
        """Make room."""
        self._takes += count
        self._has_room.set()

    def take_no_more(self):
        """Have no room from now on."""
        self._takes = 0

    def ended_by_server(self):
        """Remember the end, and leave."""
        self.ends += 1
        if self.on_end:
            self.on_end()

    def fail(self, errors):
        """Remember why the subscription was ended, and leave."""
        self.errors += errors
        if self.on_end:
            self.on_end()

    @property
    def got(self):
        """The events' payloads, as `Echo` and `Slow` make notifications of them."""
        return [body["data"]["event"] for body in self.bodies]


class Socket:
    """A socket that remembers what the hub told it."""

    def __init__(self):
        self.told = []
        self.lost = asyncio.Event()
        self.scope = {}

    def rights_changed(self, user_ids):
        """Remember whose rights changed."""
        self.told.append(("rights", user_ids))

    def kicked(self, user_ids):
        """Remember who was kicked."""
        self.told.append(("kicked", user_ids))

    def events_lost(self):
        """Remember that events were lost."""
        self.told.append(("lost",))
        self.lost.set()

    def fail(self, error):
        """Remember what failed."""
        self.told.append(("failed", type(error).__name__))

    def beat(self, now):
        """The pulse's look at the socket."""


# ---- runs


def result(payload):
    """Return the result of a selection that shows the payload."""
    return ExecutionResult({"event": payload})


class Echo:
    """A run that is done at once; it remembers what it ran."""

    def __init__(self):
        self.ran = []

    def __call__(self, event):
        """Run for one event."""
        self.ran.append(event.payload)
        return result(event.payload)


class Slow:
    """A run that waits until it is let, one event at a time."""

    def __init__(self):
        self.ran = []
        self.held = []

    def __call__(self, event):
        """Start to run for one event."""
        turn = asyncio.get_running_loop().create_future()
        self.ran.append(event.payload)
        self.held.append(turn)
        return self._finish(event.payload, turn)

    async def _finish(self, payload, turn):
        await turn
        return result(payload)

    async def let_one(self):
        """Let the oldest run end, and its consequences come."""
        self.held.pop(0).set_result(None)
        await turns()

    async def let_all(self):
        """Let runs end until none starts any more."""
        while self.held:
            await self.let_one()


# ---- events


class MemoryLog:
    """An event log without a database; it remembers how it was read."""

    def __init__(self):
        self.rows = {}
        self.reads = []

    def append(self, record):
        """Append a record; return its number and its bytes."""
        number = len(self.rows) + 1
        self.rows[number] = records.pack(record)
        return number, self.rows[number]

    async def read(self, first, last):
        """Read as `live.log.store.read` does."""
        self.reads.append((first, last))
        await asyncio.sleep(0)
        numbers = range(first, last + 1)
        return [(number, self.rows[number]) for number in numbers if number in self.rows]

    def prune(self, last):
        """Forget the records up to `last`."""
        for number in range(1, last + 1):
            self.rows[number] = None
        self.rows = {number: row for number, row in self.rows.items() if row}


class Feed:
    """Appends to a log and has a hub take it, as its follower does."""

    def __init__(self, hub):
        self.hub, self.log = hub, MemoryLog()
        hub.log._fetch = self.log.read
        hub.begin(Cursor(EPOCH, 0), missed=False)

    def append(self, record):
        """Append a record, of which the hub has not heard."""
        return self.log.append(record)

    def take(self, record):
        """Append a record, and have the hub take it; return its number."""
        number, packed = self.append(record)
        self.hub.take(EPOCH, number, packed)
        return number

    def event(self, payload, *groups):
        """Tell the hub of an event; return its number."""
        return self.take(event_record(payload, *groups))

    def events(self, payloads, *groups):
        """Tell the hub of events."""
        for payload in payloads:
            self.event(payload, *groups)


def event_record(payload, *groups):
    """Return a broadcast's record."""
    return records.event(groups, pack(payload))


def make_event(number, payload=None, ends=False):
    """Return an event in group "g", which shows its number unless `payload` is given."""
    packed = b"" if ends else pack(number if payload is None else payload)
    return Event(number, frozenset({"g"}), packed, EPOCH, ends)


# ---- waiting


async def turns(count=8):
    """Give the loop as many turns as a step of a cohort takes."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition, seconds=5):
    """Wait until `condition()` holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  any condition, which has no event
            await asyncio.sleep(0.001)
