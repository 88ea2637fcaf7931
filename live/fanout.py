"""The process's hub: one channel for all its sockets; events in, frames out."""

import asyncio
import contextlib
import functools
import logging
import time
import weakref
from collections.abc import Hashable, Iterable
from typing import Any, Protocol

from channels.layers import get_channel_layer

from live import metrics, recall
from live.cohort import Cohort, Event, Member, Receiver, Run
from live.conf import conf
from live.errors import Unavailable
from live.pulse import beat_for_ever

logger = logging.getLogger(__name__)

# The one channel-layer group, which every process's hub joins.
HUB_GROUP = "live"
# Between two attempts to join a channel layer that is away.
RETRY_SECONDS = 0.5
# A subscriber is told rather than kept waiting where the layer stays away.
JOIN_SECONDS = 5
# An event with more cohorts than fit in this goes on after other work of the loop.
LONGEST_TURN_SECONDS = 0.005


class Socket(Protocol):
    """What the hub knows of a client's socket."""

    def rights_changed(self, user_ids: frozenset[int] | None) -> None:
        """Somebody's rights changed (None: anybody's may have); must not wait."""

    def kicked(self, user_ids: frozenset[int]) -> None:
        """These users' sockets are to end."""

    def events_lost(self) -> None:
        """The channel layer was away: what was sent meanwhile is not known."""


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
        self.number = 0  # of the last event taken
        self.sockets: set[Socket] = set()
        self._groups: dict[str, dict[Cohort, None]] = {}
        self._cohorts: dict[Hashable, Cohort] = {}
        self._reader: asyncio.Task[None] | None = None
        self._pulse: asyncio.Task[None]
        self._joined = asyncio.Event()
        # Cohorts whose events wait for a turn of the loop.
        self._behind: dict[Cohort, None] = {}
        self._catching_up: asyncio.Task[None] | None = None

    # ---- sockets

    def enter(self, socket: Socket) -> None:
        """Count `socket` in; the first one makes the hub listen."""
        self.sockets.add(socket)
        metrics.sockets.inc()
        if self._reader is None:
            self._joined.clear()
            loop = asyncio.get_running_loop()
            self._reader = loop.create_task(self._listen())
            self._pulse = loop.create_task(beat_for_ever(self.sockets))

    async def leave(self, socket: Socket) -> None:
        """Count `socket` out; with the last one the hub stops listening."""
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        metrics.sockets.dec()
        if not self.sockets and self._reader is not None:
            reader, self._reader = self._reader, None
            for task in (reader, self._pulse):
                task.cancel()
            await asyncio.wait([reader, self._pulse])

    async def listening(self) -> None:
        """Return once no later broadcast can be missed; raise Unavailable if that takes long."""
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await self._joined.wait()
        except TimeoutError:
            raise Unavailable() from None

    # ---- members

    def join(
        self,
        receiver: Receiver,
        groups: Iterable[str],
        key: Hashable,
        run: Run,
        limit: int | None = None,
    ) -> Member:
        """Register a subscription: it hears of every event taken from now on."""
        member = Member(receiver, frozenset(groups), since=self.number)
        self._place(member, key, run, limit)
        metrics.subscriptions.inc()
        return member

    def part(self, member: Member) -> None:
        """End a subscription's membership; nothing more is delivered to it."""
        if self._displace(member):
            metrics.subscriptions.dec()

    def suspend(self, member: Member) -> None:
        """Deliver nothing to `member` until `readmit`; what comes meanwhile waits for it."""
        old = member.cohort
        if old is None or old.paused:
            return
        waiting = old.pending(member)
        self._displace(member)
        self._place(member, object(), old.run, old.limit)
        assert member.cohort is not None
        member.cohort.paused = True
        for event in waiting:
            member.cohort.take(event)

    def readmit(self, member: Member, key: Hashable, run: Run) -> None:
        """Go on with a suspended member, in the cohort of its present `key`.

        What waited runs for it alone, as its present rights have it; it joins the others
        when it has caught up.
        """
        own = member.cohort
        if own is None or not own.paused:
            return
        own.run = run
        own.on_idle = functools.partial(self._move, member, key, run)
        own.resume()

    def _move(self, member: Member, key: Hashable, run: Run) -> None:
        limit = member.cohort.limit if member.cohort else None
        if self._displace(member):
            member.since = self.number
            self._place(member, key, run, limit)

    def _place(self, member: Member, key: Hashable, run: Run, limit: int | None) -> None:
        key = (key, member.groups)
        cohort = self._cohorts.get(key)
        if cohort is None:
            cohort = Cohort(key, run, limit, conf.NOTIFICATION_QUEUE_LIMIT)
            self._cohorts[key] = cohort
            metrics.cohorts.inc()
            for group in member.groups:
                self._groups.setdefault(group, {})[cohort] = None
        cohort.add(member)

    def _displace(self, member: Member) -> bool:
        cohort = member.cohort
        if cohort is None:
            return False
        cohort.remove(member)
        if not cohort.members:
            cohort.stop()
            del self._cohorts[cohort.key]
            metrics.cohorts.dec()
            for group in member.groups:
                self._groups[group].pop(cohort)
                if not self._groups[group]:
                    del self._groups[group]
        return True

    # ---- what comes from the channel layer

    async def _listen(self) -> None:
        """Read the channel layer for as long as there are sockets, whatever happens to it."""
        while True:
            try:
                await self._read()
            except Exception as error:
                self._lost(error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel("live")
        try:
            await layer.group_add(HUB_GROUP, channel)
            self._joined.set()
            metrics.layer_up.set(1)
            recall.forget()
            for socket in list(self.sockets):
                # A change of rights that was sent before was not heard.
                socket.rights_changed(None)
            while True:
                self.take(await layer.receive(channel))
                # A layer that holds a burst would never let go of the loop.
                await asyncio.sleep(0)
        finally:
            with contextlib.suppress(Exception):
                await layer.group_discard(HUB_GROUP, channel)

    def _lost(self, error: Exception) -> None:
        logger.error("The channel layer is away: %s", type(error).__name__)
        metrics.layer_up.set(0)
        if self._joined.is_set():
            self._joined.clear()
            for socket in list(self.sockets):
                socket.events_lost()

    def take(self, message: dict[str, Any]) -> None:
        """Handle one message of the hub's group; a bad one harms no other."""
        try:
            handler = {
                "live.event": self._on_event,
                "live.unsubscribe": self._on_unsubscribe,
                "live.rights": self._on_rights,
                "live.kick": self._on_kick,
            }[message["type"]]
            handler(message)
        except Exception as error:
            # The message may quote a patient: its text is not logged.
            logger.error("A broadcast was not understood: %s", type(error).__name__)

    def _on_event(self, message: dict[str, Any]) -> None:
        self.number += 1
        metrics.events.inc()
        event = Event(self.number, frozenset(message["groups"]), message["payload"])
        turn_ends = time.monotonic() + LONGEST_TURN_SECONDS
        for cohort in self._hearing(event.groups):
            if time.monotonic() < turn_ends:
                cohort.take(event)
            else:
                cohort.hold(event)
                self._behind[cohort] = None
        if self._behind and self._catching_up is None:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """Run what did not fit in its event's turn, one event of each cohort after the other."""
        while self._behind:
            await asyncio.sleep(0)
            turn_ends = time.monotonic() + LONGEST_TURN_SECONDS
            while self._behind:
                cohort = next(iter(self._behind))
                del self._behind[cohort]
                cohort.catch_up()
                if cohort.is_behind:
                    self._behind[cohort] = None
                if time.monotonic() >= turn_ends:
                    break
        self._catching_up = None

    def _on_unsubscribe(self, message: dict[str, Any]) -> None:
        for cohort in self._hearing(message["groups"]):
            for member in list(cohort.members):
                member.receiver.ended_by_server()

    def _on_rights(self, message: dict[str, Any]) -> None:
        recall.forget()
        ids = message["users"]
        for socket in list(self.sockets):
            socket.rights_changed(None if ids is None else frozenset(ids))

    def _on_kick(self, message: dict[str, Any]) -> None:
        for socket in list(self.sockets):
            socket.kicked(frozenset(message["users"]))

    def _hearing(self, groups: Iterable[str]) -> dict[Cohort, None]:
        """Return the cohorts that are in any of `groups`, each once."""
        return {cohort: None for group in groups for cohort in list(self._groups.get(group, ()))}


async def send_to_hubs(message: dict[str, Any]) -> None:
    """Send `message` to the hub of every process."""
    await get_channel_layer().group_send(HUB_GROUP, message)
