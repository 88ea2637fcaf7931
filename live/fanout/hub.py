"""The process's hub: its groups and cohorts; events in, to the cohorts whose groups hold them."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Protocol

from live import metrics
from live.concurrency.per_loop import per_loop
from live.concurrency.scheduler import Scheduler
from live.concurrency.supervision import keep_running, report_failure
from live.conf import conf
from live.errors import Unavailable
from live.fanout.catch_up import CatchUp
from live.fanout.cohort import Cohort, Run
from live.fanout.event_buffer import EventBuffer, Source, unpacked
from live.fanout.follower import Follower
from live.fanout.housekeeping import Housekeeping
from live.fanout.listener import Listener
from live.fanout.member import Member, State
from live.fanout.resume import Resume
from live.fanout.transient_buffer import MOST_KEPT, TransientBuffer
from live.identity import rights_cache
from live.log.cursor import Cursor
from live.log.events import Event
from live.log.records import Kind, Record

logger = logging.getLogger(__name__)

# Where the database stays away, a subscriber gets an error instead of waiting.
READY_SECONDS = 5


class Socket(Protocol):
    """What the hub knows of a client's socket."""

    def rights_changed(self, user_ids: frozenset[int] | None) -> None:
        """Note that a user's rights changed (None: any user's may have); must not wait."""

    def kicked(self, user_ids: frozenset[int]) -> None:
        """These users' sockets are to end."""

    def events_lost(self) -> None:
        """Events are lost: the client has to start anew."""

    def fail(self, error: Exception) -> None:
        """Close, because one of the calls above failed."""


class Hub:
    """Takes each event once and gives it to every cohort whose groups hold it.

    One for each event loop: `Hub.current()`. It listens while there are sockets.
    """

    @staticmethod
    def current() -> "Hub":
        """Return the hub of the running loop."""
        return _hub_of_loop()

    def __init__(self) -> None:
        self.log, self.transient = EventBuffer(), TransientBuffer()
        self.sockets: set[Socket] = set()
        self._groups: dict[str, dict[Cohort, None]] = {}
        self._cohorts: dict[Hashable, Cohort] = {}
        self.scheduler = Scheduler()
        self._catch_up = CatchUp(self.scheduler)
        self._resume = Resume(self.log)
        self._tasks: list[asyncio.Task[None]] = []
        self._follow_anew()

    def _follow_anew(self) -> None:
        self._follower = Follower(self, self.scheduler)
        self.listener = Listener(self._follower.hear, self.pass_on)

    # ---- sockets

    def enter(self, socket: Socket) -> None:
        """Add `socket`; the first one makes the hub listen."""
        self.sockets.add(socket)
        metrics.sockets.inc()
        if not self._tasks:
            self._follow_anew()
            housekeeping = Housekeeping(self.sockets, self.scheduler)
            work = {
                "listen": self.listener.listen,
                "follow": self._follower.follow,
                "pings": housekeeping.beat_for_ever,
                "identities": housekeeping.check_identities_for_ever,
            }
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(keep_running(*one)) for one in work.items()]

    async def leave(self, socket: Socket) -> None:
        """Remove `socket`; with the last one the hub stops listening."""
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
                await self.listener.has_tried.wait()
        except TimeoutError:
            raise Unavailable() from None

    async def find(self, after: str) -> int:
        """Return the number of the event that the cursor `after` stands behind (see Resume)."""
        return await self._resume.find(after)

    # ---- members

    def source(self, durable: bool) -> Source:
        """Return where the events of a subscription come from: the log, or past it."""
        return self.log if durable else self.transient

    def join(self, member: Member, key: Hashable, run: Run) -> None:
        """Register a subscription: it gets every event after its `since`."""
        if member.join():
            metrics.subscriptions.inc()
            self._place(member, key, run)

    def part(self, member: Member) -> None:
        """End a subscription's membership; nothing more is delivered to it."""
        if member.state not in (State.NEW, State.ENDED):
            metrics.subscriptions.dec()
        self._displace(member)
        member.end()

    def suspend(self, member: Member) -> None:
        """Deliver nothing to `member` until `readmit`; what comes meanwhile waits for it."""
        if member.cohort is not None:
            self._displace(member)
            member.suspend()

    def readmit(self, member: Member, key: Hashable, run: Run) -> None:
        """Go on with a suspended member, in the cohort of its present `key`."""
        if member.state is State.SUSPENDED:
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
            self._catch_up.start(member, cohort)
        else:
            cohort.add(member)

    def _new_cohort(self, key: Hashable, run: Run, member: Member) -> Cohort:
        limit, most = member.limit, conf.NOTIFICATION_QUEUE_LIMIT
        if limit is None and member.source is self.transient:
            limit = MOST_KEPT
        start = self._catch_up.start
        return Cohort(key, run, member.source, start, self.scheduler, limit, most)

    def _displace(self, member: Member) -> None:
        cohort: Cohort | None = member.cohort
        if cohort is None:
            return
        self._catch_up.count_out(member)
        cohort.remove(member)
        if cohort.is_empty:
            cohort.stop()
            del self._cohorts[cohort.key]
            metrics.cohorts.dec()
            for group in member.groups:
                self._groups[group].pop(cohort)
                if not self._groups[group]:
                    del self._groups[group]

    # ---- what happened

    def begin(self, end: Cursor, *, missed: bool) -> None:
        """Go on after `end` of the log (see Follower)."""
        self.log.start_over(*end)
        metrics.position.set(end.number)
        # Changes of rights may have been missed.
        rights_cache.clear()
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
        number = self.transient.position + 1
        event = Event.logged(None, number, record)
        self.transient.add(event)
        try:
            self._handle(record, event)
        finally:
            self.transient.position = number

    def _handle(self, record: Record, event: Event) -> None:
        match record.kind:
            case Kind.EVENT:
                metrics.events.inc()
                if record.forgets and record.subject is not None:
                    self.log.forget(record.subject, event.number)
                self._give(event)
            case Kind.UNSUBSCRIBE:
                self._give(event)
            case Kind.RIGHTS:
                rights_cache.clear()
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
                # The other sockets must be called: one may show what its user may no longer see.
                logger.error("A socket was not told: %s", type(error).__name__)
                socket.fail(error)

    def _give(self, event: Event) -> None:
        """Give the event to the cohorts that are in any of its groups, once each."""
        # Of its own source: a message past the log is nothing to those who rely on the log.
        source = self.transient if event.epoch is None else self.log
        found = (cohort for group in event.groups for cohort in self._groups.get(group, ()))
        for cohort in dict.fromkeys(found):
            if cohort.source is source:
                try:
                    cohort.take(event)
                except Exception as error:
                    # The other cohorts are still to have the event.
                    report_failure("cohort", error)


_hub_of_loop = per_loop(Hub)
