"""The process's hub: one channel for all its sockets; events in, frames out."""

import asyncio
import contextlib
import logging
import time
import weakref
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from channels.layers import get_channel_layer

from live import metrics
from live.concurrency import outage
from live.concurrency.scheduler import Turns
from live.concurrency.single_flight import SingleFlight
from live.concurrency.supervision import keep_running
from live.concurrency.threads import in_worker_thread
from live.conf import conf
from live.errors import CursorExpired, Unavailable
from live.fanout.catch_up import Replays
from live.fanout.cohort import Cohort, Member, Run
from live.fanout.event_buffer import MOST_PASSING, Passing, Shelf, Source, unpacked
from live.fanout.follower import Follower
from live.fanout.housekeeping import beat_for_ever, check_identities_for_ever
from live.identity import rights_cache
from live.log import records
from live.log.announcer import HUB_CHANNEL, HUB_GROUP
from live.log.cursor import Cursor, decode
from live.log.events import Event
from live.log.records import Kind, Record
from live.log.store import Extent, extent

logger = logging.getLogger(__name__)

# Between two attempts to join a channel layer that is away.
RETRY_SECONDS = 0.5
# What joining a channel layer, or leaving it, may take.
JOIN_SECONDS = 2
# A subscriber is told rather than kept waiting where the database stays away.
READY_SECONDS = 5
# An event with more cohorts than fit in this goes on after other work of the loop.
LONGEST_TURN_SECONDS = 0.005


class Socket(Protocol):
    """What the hub knows of a client's socket."""

    def rights_changed(self, user_ids: frozenset[int] | None) -> None:
        """Somebody's rights changed (None: anybody's may have); must not wait."""

    def kicked(self, user_ids: frozenset[int]) -> None:
        """These users' sockets are to end."""

    def events_lost(self) -> None:
        """Events are gone that nobody can be told of any more: the client has to start anew."""

    def fail(self, error: Exception) -> None:
        """Close, since the socket could not do what it was told."""


class Hub:
    """Takes each broadcast once and gives it to every cohort whose groups hold it.

    One for each event loop: `Hub.current()`. It listens while there are sockets.
    """

    _hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()

    @classmethod
    def current(cls) -> "Hub":
        """Return the hub of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in cls._hubs:
            cls._hubs[loop] = cls()
        return cls._hubs[loop]

    def __init__(self) -> None:
        self.log, self.passing = Shelf(), Passing()
        self.sockets: set[Socket] = set()
        self._groups: dict[str, dict[Cohort, None]] = {}
        self._cohorts: dict[Hashable, Cohort] = {}
        self._turns = Turns()
        self._follower = Follower(self, self._turns)
        self._replays = Replays()
        self._tasks: list[asyncio.Task[None]] = []
        # Set when joining the channel layer has succeeded or failed.
        self._tried_layer = asyncio.Event()
        # Cohorts whose events wait for a turn of the loop.
        self._behind: dict[Cohort, None] = {}
        self._catching_up: asyncio.Task[None] | None = None
        self._extent = in_worker_thread(extent)
        self._looks: SingleFlight[Extent] = SingleFlight()

    # ---- sockets

    def enter(self, socket: Socket) -> None:
        """Count `socket` in; the first one makes the hub listen."""
        self.sockets.add(socket)
        metrics.sockets.inc()
        if not self._tasks:
            self._tried_layer.clear()
            self._follower = Follower(self, self._turns)
            work = {
                "listen": self._listen,
                "follow": self._follower.follow,
                "pings": lambda: beat_for_ever(self.sockets),
                "identities": lambda: check_identities_for_ever(self.sockets),
            }
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(keep_running(*one)) for one in work.items()]

    async def leave(self, socket: Socket) -> None:
        """Count `socket` out; with the last one the hub stops listening."""
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        metrics.sockets.dec()
        if not self.sockets and self._tasks:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def listening(self) -> None:
        """Return once no later broadcast can be missed; raise Unavailable if that takes long."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._follower.ready.wait()
                await self._tried_layer.wait()
        except TimeoutError:
            raise Unavailable() from None

    async def find(self, after: str) -> int:
        """Return the number of the event that the cursor `after` stands behind.

        Raises BadCursor, or CursorExpired where the log does not have all that came after.
        """
        cursor = decode(after)
        if cursor.epoch == self.log.epoch and self.log.holds(cursor.number):
            return cursor.number
        # Those who come together share a look; who is refused by it may be newer than it.
        found = (await self._looks.do(None, self._extent)).reaches(cursor)
        if not found and not (await self._extent()).reaches(cursor):
            raise CursorExpired()
        return cursor.number

    # ---- members

    def source(self, durable: bool) -> Source:
        """Return where the events of a subscription come from: the log, or past it."""
        return self.log if durable else self.passing

    def join(self, member: Member, key: Hashable, run: Run) -> None:
        """Register a subscription: it hears of every event after its `since`."""
        metrics.subscriptions.inc()
        member.joined, member.began = True, member.source.position
        self._place(member, key, run)

    def part(self, member: Member) -> None:
        """End a subscription's membership; nothing more is delivered to it."""
        self._displace(member)
        if member.joined:
            member.joined = False
            metrics.subscriptions.dec()

    def suspend(self, member: Member) -> None:
        """Deliver nothing to `member` until `readmit`; what comes meanwhile waits for it."""
        self._displace(member)

    def readmit(self, member: Member, key: Hashable, run: Run) -> None:
        """Go on with a suspended member, in the cohort of its present `key`."""
        if member.joined and member.cohort is None:
            self._place(member, key, run)

    def _place(self, member: Member, key: Hashable, run: Run) -> None:
        key = (key, member.groups)
        cohort = self._cohorts.get(key)
        if cohort is None:
            cohort = self._cohorts[key] = self._new_cohort(key, run, member)
            metrics.cohorts.inc()
            for group in member.groups:
                self._groups.setdefault(group, {})[cohort] = None
        if member.since < member.source.position:
            self._replays.start(member, cohort)
        else:
            cohort.add(member)

    def _new_cohort(self, key: Hashable, run: Run, member: Member) -> Cohort:
        limit, most = member.limit, conf.NOTIFICATION_QUEUE_LIMIT
        if limit is None and member.source is self.passing:
            limit = MOST_PASSING
        return Cohort(key, run, member.source, self._replays.start, self._turns, limit, most)

    def _displace(self, member: Member) -> None:
        cohort = member.cohort
        if cohort is None:
            return
        self._replays.stop(member)
        cohort.remove(member)
        if cohort.is_empty:
            cohort.stop()
            del self._cohorts[cohort.key]
            metrics.cohorts.dec()
            for group in member.groups:
                self._groups[group].pop(cohort)
                if not self._groups[group]:
                    del self._groups[group]

    # ---- what comes from the channel layer

    async def _listen(self) -> None:
        """Read the channel layer for as long as there are sockets, whatever happens to it."""
        while True:
            try:
                await self._read_layer()
            except Exception as error:
                outage.channel_layer.goes_on(error, "listening")
            metrics.layer_up.set(0)
            self._tried_layer.set()
            await asyncio.sleep(RETRY_SECONDS)

    async def _read_layer(self) -> None:
        layer = get_channel_layer()
        # A broker that hangs answers nothing, not even with an error.
        async with asyncio.timeout(JOIN_SECONDS):
            channel = await layer.new_channel(HUB_CHANNEL)
            await layer.group_add(HUB_GROUP, channel)
        try:
            self._tried_layer.set()
            metrics.layer_up.set(1)
            outage.channel_layer.is_over()
            while True:
                await self._told(await layer.receive(channel))
                # A layer that holds a burst would never let go of the loop.
                await asyncio.sleep(0)
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(JOIN_SECONDS):
                    await layer.group_discard(HUB_GROUP, channel)

    async def _told(self, message: dict[str, Any]) -> None:
        """Handle one message of the hub's group; a bad one harms no other."""
        try:
            if message["type"] == "live.log":
                await self._follower.told(message)
            else:
                self.pass_on(records.unpack(message["record"]))
        except Exception as error:
            # The message may quote a patient: its text is not logged.
            logger.error("A broadcast was not understood: %s", type(error).__name__)

    # ---- what happened

    def begin(self, end: Cursor, *, missed: bool) -> None:
        """Go on after `end` of the log (see Follower)."""
        self.log.start_over(*end)
        metrics.position.set(end.number)
        # What anybody may do could have changed unheard.
        rights_cache.forget()
        if missed:
            self._tell_sockets(lambda socket: socket.events_lost())
        else:
            self._tell_sockets(lambda socket: socket.rights_changed(None))

    def take(self, epoch: int, number: int, packed: bytes) -> None:
        """Handle the log's next record."""
        record = unpacked(packed)
        event = Event.logged(epoch, number, record)
        self.log.add(event)
        try:
            self._handle(record, event)
        except Exception as error:
            logger.error("A record was not handled: %s", type(error).__name__)
        finally:
            # Not before: until then, no cohort has been given it.
            self.log.position = number
            metrics.position.set(number)

    def pass_on(self, record: Record) -> None:
        """Handle an event past the log, or an end of subscriptions; nothing else comes so."""
        if record.kind not in (Kind.EVENT, Kind.UNSUBSCRIBE):
            raise ValueError("only the log tells of rights")
        number = self.passing.position + 1
        event = Event.logged(None, number, record)
        self.passing.add(event)
        try:
            self._handle(record, event)
        finally:
            self.passing.position = number

    def _handle(self, record: Record, event: Event) -> None:
        match record.kind:
            case Kind.EVENT:
                metrics.events.inc()
                self._give(event)
            case Kind.UNSUBSCRIBE:
                self._give(event)
            case Kind.RIGHTS:
                rights_cache.forget()
                users = None if record.body is None else frozenset(record.body)
                self._tell_sockets(lambda socket: socket.rights_changed(users))
            case Kind.KICK:
                kicked = frozenset(record.body)
                self._tell_sockets(lambda socket: socket.kicked(kicked))

    def _tell_sockets(self, tell: Callable[[Socket], None]) -> None:
        for socket in list(self.sockets):
            try:
                tell(socket)
            except Exception as error:
                # The others must know: one of them may show what its user may see no more.
                logger.error("A socket was not told: %s", type(error).__name__)
                socket.fail(error)

    def _give(self, event: Event) -> None:
        turn_ends = time.monotonic() + LONGEST_TURN_SECONDS
        for cohort in self._hearing(event):
            if time.monotonic() < turn_ends:
                cohort.take(event)
            else:
                cohort.hold(event)
                self._behind[cohort] = None
        if self._behind and self._catching_up is None:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """Run what did not fit in its event's turn, one event of each cohort after the other."""
        try:
            await self._turns.next()
            while self._behind:
                cohort = next(iter(self._behind))
                del self._behind[cohort]
                cohort.catch_up()
                if cohort.is_behind:
                    self._behind[cohort] = None
                if self._turns.is_over:
                    await self._turns.next()
        finally:
            self._catching_up = None

    def _hearing(self, event: Event) -> dict[Cohort, None]:
        """Return the cohorts that are in any of the event's groups, each once."""
        # Of its own source: a message past the log is nothing to those who rely on the log.
        source = self.passing if event.epoch is None else self.log
        found = (cohort for group in event.groups for cohort in self._groups.get(group, ()))
        return {cohort: None for cohort in found if cohort.source is source}
