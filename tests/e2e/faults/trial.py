"""Writers that write, clients that watch, one fault after the other, and the verdict on all."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.faults.clerks import Clerk
from tests.e2e.faults.installation import Installation
from tests.e2e.faults.ledger import Entry, errors_in, expected_by
from tests.e2e.faults.verdict import CLEAN, Verdict, judge
from tests.e2e.faults.watcher import Watcher

Fault = Callable[["Trial"], Awaitable[None]]

# Ordinals of one writer are together; seven digits have room for a hundred writers.
ORDINALS_PER_WRITER = 100_000
CATEGORIES = ("I", "IX", "X", "XXII")
# Every fifth client watches everything, the others one category each. Of those that watch
# everything, every other one holds up the server when it stops reading.
WATCHES_ALL = 5
IS_SLOW = 10
# Ordinals one after the other go to as many categories one after the other.
ALL_CATEGORIES = 22


@dataclass
class Phase:
    """Some events, with a fault among them."""

    fault: str
    first: int
    """The log's number before its first event."""
    last: int = 0
    events: int = 0
    fault_seconds: float = 0.0
    catch_up_seconds: float | None = None
    """From the fault's end until every client had what was committed by then; None: never."""
    longest_delay: float = 0.0
    """From an event's commit until its last client had it."""
    endings: dict[str, int] = field(default_factory=dict)
    """How clients' connections ended."""
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def is_clean(self) -> bool:
        """Whether every client had everything in time, once and in order."""
        return self.verdict == CLEAN and self.catch_up_seconds is not None


class Trial:
    """Phases of writing and watching, and what came of them.

    Args:
        installation: running.
        staff: clerks; the first one reads, the second one is there to be killed, and the
            others write whenever a phase begins.
        patience: seconds within which clients must have everything.
        rate: transactions a second of each writer.
        pace: of a fault's time, how much it takes: 1 as it is written, 0 as short as it can.
    """

    def __init__(
        self,
        installation: Installation,
        staff: Sequence[Clerk],
        *,
        patience: float,
        rate: float,
        pace: float,
    ) -> None:
        self.installation = installation
        self.observer, self.spare, *self.writers = staff
        self.patience, self.rate, self.pace = patience, rate, pace
        self.watchers: list[Watcher] = []
        self.committed: dict[int, float] = {}
        """Ordinals that are certain to be committed → when, by the monotonic clock."""
        self.start = 0
        """The log's last number before the trial."""
        self.entries: list[Entry] = []
        """The log as far as it was read."""
        self.phases: list[Phase] = []
        self.foreign: list[int] = []
        """Events that a client got and should not have got."""
        self.shortcomings: list[str] = []
        """Promises that were broken while a fault lasted, in words."""
        self._next_ordinals = [n * ORDINALS_PER_WRITER for n in range(len(self.writers) + 1)]
        self._progress = asyncio.Condition()
        self._writing: list[asyncio.Task[None]] = []

    # ---- clients

    async def watch(self, count: int, **options: Any) -> None:
        """Add so many clients that watch from now on; return when all are registered.

        Some watch everything, the others one category each. Options as Watcher has them.
        """
        cookie, position = await self.installation.cookie_and_position()
        for index in range(count):
            category = CATEGORIES[index % len(CATEGORIES)] if index % WATCHES_ALL else None
            settings = {"category": category, "is_slow": index % IS_SLOW == 0, **options}
            watcher = Watcher(self.installation.ports, cookie, position, **settings)
            watcher.start()
            self.watchers.append(watcher)
        async with asyncio.timeout(self.patience):
            for watcher in self.watchers:
                await watcher.registered.wait()

    # ---- events

    async def write(self, events: int) -> None:
        """Have the writers begin to write so many events."""
        share = max(1, events // len(self.writers))
        for number in range(len(self.writers)):
            self._writing.append(asyncio.create_task(self._write(number, share)))

    async def written(self) -> None:
        """Return when the writers have done what they began."""
        await asyncio.gather(*self._writing)
        self._writing.clear()

    async def more_committed(self, count: int) -> None:
        """Return when so many more events are committed than now, or nobody writes any more."""
        target = len(self.committed) + count
        async with self._progress, asyncio.timeout(self.patience):
            await self._progress.wait_for(
                lambda: len(self.committed) >= target or all(t.done() for t in self._writing)
            )

    def next_ordinal(self) -> int:
        """Return an ordinal that no other event has."""
        self._next_ordinals[-1] += 1
        return self._next_ordinals[-1] - 1

    async def _write(self, number: int, count: int) -> None:
        first = self._next_ordinals[number]
        self._next_ordinals[number] += count
        try:
            orders = {"first": first, "count": count, "rate": self.rate}
            async for ordinals, at in self.writers[number].committed(**orders):
                await self.note(ordinals, at)
        finally:
            async with self._progress:
                self._progress.notify_all()

    async def note(self, ordinals: Sequence[int], at: float) -> None:
        """Note ordinals that are certain to be committed, at the monotonic clock's time `at`."""
        async with self._progress:
            self.committed.update(dict.fromkeys(ordinals, at))
            self._progress.notify_all()

    # ---- what faults do meanwhile

    async def last_for(self, seconds: float) -> None:
        """Return after a fault's time, and when some more events were committed during it."""
        until = time.monotonic() + seconds * self.pace
        await self.more_committed(20)
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def everyone_has_everything(self, by: float = math.inf) -> float | None:
        """Return when every client had all that was committed by the time `by`.

        None where that is not so within the patience. Times are the monotonic clock's.
        """
        await self._read_log()
        entries = [e for e in self.entries if self.committed.get(e.ordinal, 0.0) <= by]
        expected = [(w, expected_by(entries, w.category)) for w in self.watchers]
        try:
            async with asyncio.timeout(self.patience):
                times = [await w.reach(events[-1]) for w, events in expected if events]
        except TimeoutError:
            return None
        return max(times, default=-math.inf)

    async def _read_log(self) -> None:
        self.entries += await self.observer.entries(after=self._end)

    # ---- phases

    async def begin(self) -> None:
        """Remember where the log ends now: what is before is no part of this trial."""
        before = await self.observer.entries()
        self.start = before[-1].number if before else 0
        self._rows_before = {row.ordinal for row in await self.observer.rows()}
        for number in range(len(self._next_ordinals)):
            own = [o for o in self._rows_before if o // ORDINALS_PER_WRITER == number]
            self._next_ordinals[number] = max(own, default=self._next_ordinals[number] - 1) + 1

    async def under(self, name: str, fault: Fault, events: int) -> Phase:
        """Write `events` with a fault in their midst; return how that went."""
        phase = Phase(name, first=self._end)
        endings = self._endings()
        await self.write(events)
        await self.more_committed(events // 3)
        began = time.monotonic()
        await fault(self)
        ended = time.monotonic()
        phase.fault_seconds = ended - began
        had_all_at = await self.everyone_has_everything(by=ended)
        if had_all_at is not None:
            phase.catch_up_seconds = max(0.0, had_all_at - ended)
        await self.written()
        await self.everyone_has_everything()
        phase.last, phase.endings = self._end, dict(self._endings() - endings)
        await self.spare.revive()
        self.phases.append(phase)
        return phase

    async def judged(self) -> list[str]:
        """Judge all phases; return what is wrong with the log itself, in words."""
        await self._mark()
        verdict = sum(
            (judge(expected_by(self.entries, w.category), w.received) for w in self.watchers),
            Verdict(),
        )
        delays = self.delays()
        for phase in self.phases:
            logged = [e for e in self.entries if phase.first < e.number <= phase.last]
            ordinals = {entry.ordinal for entry in logged if entry.ordinal is not None}
            phase.events = len(ordinals)
            phase.verdict = verdict.only(ordinals)
            phase.longest_delay = max((delays.get(o, 0.0) for o in ordinals), default=0.0)
        self.foreign = verdict.foreign
        rows = [r for r in await self.observer.rows() if r.ordinal not in self._rows_before]
        return errors_in(self.entries, rows, self.committed.keys())

    async def _mark(self) -> None:
        """Write one last event for each client: whatever comes before it has come then."""
        self._writing.append(asyncio.create_task(self._write(0, ALL_CATEGORIES)))
        await self.written()
        await self.everyone_has_everything()

    @property
    def _end(self) -> int:
        return self.entries[-1].number if self.entries else self.start

    def _endings(self) -> Counter[str]:
        return sum((watcher.endings for watcher in self.watchers), Counter())

    async def delays_of_new(self, events: int) -> list[float]:
        """Write so many events; return their delays, sorted (see `delays`).

        Raises AssertionError where they do not all arrive.
        """
        known = set(self.committed)
        await self.write(events)
        await self.written()
        assert await self.everyone_has_everything() is not None, "events are missing"
        new = self.committed.keys() - known
        return sorted(delay for ordinal, delay in self.delays().items() if ordinal in new)

    def delays(self) -> dict[int, float]:
        """Return each event's seconds from its commit until the last client had it."""
        delays: dict[int, float] = {}
        for watcher in self.watchers:
            if watcher.is_slow or watcher.cut_every:
                continue
            for ordinal, at in zip(watcher.received, watcher.arrived, strict=True):
                delay = at - self.committed.get(ordinal, at)
                delays[ordinal] = max(delays.get(ordinal, 0.0), delay)
        return delays

    def refusals(self) -> Counter[str]:
        """Return what clients were told that they cannot go on after."""
        return Counter(code for watcher in self.watchers for code in watcher.refusals)

    async def stop(self) -> None:
        """Disconnect all clients; writers that are not done begin anew."""
        await asyncio.gather(*(watcher.stop() for watcher in self.watchers))
        for writer, task in zip(self.writers, self._writing, strict=False):
            if not task.done() or task.exception():
                task.cancel()
                await writer.kill()
                await writer.start()


@asynccontextmanager
async def trial(
    installation: Installation, staff: Sequence[Clerk], clients: int, **options: Any
) -> AsyncIterator[Trial]:
    """Begin a trial with so many clients on a running installation. Options as Trial has them."""
    running = Trial(installation, staff, **options)
    await running.begin()
    try:
        await running.watch(clients)
        yield running
    finally:
        await running.stop()
