"""The thread that hands this process's messages to the channel layer, in their order.

A writer never waits for the layer. What is in the log need not get through: whoever misses
a message reads the log. So where the layer is slow or away, what waits shrinks to one message
that says how far the log has come.
"""

import asyncio
import atexit
import functools
import os
import threading
from collections import deque
from collections.abc import Callable

from channels.layers import get_channel_layer
from django.db import connections

from live import metrics
from live.concurrency import outage, supervision
from live.concurrency.cancellation import is_own_cancellation
from live.concurrency.supervision import report_failure
from live.log.announcements import Announcement, log_grew
from live.log.cursor import Cursor
from live.log.entry import Numbered

# The one channel-layer group, which every process's hub joins.
HUB_GROUP = "live"
# What the names of the hubs' own channels begin with.
HUB_CHANNEL = "live"
# Records told of in one message, so that a batch makes none of megabytes.
RECORDS_AT_ONCE = 100
# Messages that may wait for the layer; an event has about a kilobyte.
MOST_WAITING = 1000
# A layer that takes longer for one message is treated as away.
SEND_SECONDS = 5
# What the end of a process waits for its last messages.
EXIT_SECONDS = 2


class Announcer:
    """A queue and the thread that empties it into the channel layer."""

    def __init__(self) -> None:
        self._waiting: deque[Announcement] = deque()
        self._work: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._wanted, self._idle, self._closed = (threading.Event() for _ in range(3))
        self._idle.set()
        # One loop for all messages: one for each would cost more than the sending, and a
        # Redis layer would connect anew on each. It turns while there is something to send.
        self._loop = asyncio.new_event_loop()
        self._sending: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="live-sender", daemon=True)
        self._thread.start()
        atexit.register(self.flush, EXIT_SECONDS)

    def put(self, message: Announcement) -> None:
        """Send `message` to every hub, after those that were put before."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._shrink()
            self._waiting.append(message)
            self._wake()

    def do(self, work: Callable[[], None]) -> None:
        """Call `work` in the thread, once for all who ask before it begins; it must not raise.

        It is the one that gives numbers, and puts messages in its turn: here, because another
        thread would cost each commit as much again.
        """
        with self._lock:
            self._work = work
            self._wake()

    def flush(self, seconds: float | None = None) -> bool:
        """Return True when all is sent that was put so far; False after `seconds`."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """End the thread; what waits is not sent (a process' own sender ends with it)."""
        self._closed.set()
        with self._lock:
            self._wake()
        self._loop.call_soon_threadsafe(self._give_up)
        self._thread.join()

    def _give_up(self) -> None:
        if self._sending is not None:
            self._sending.cancel()

    def _wake(self) -> None:
        self._idle.clear()
        self._wanted.set()

    def _shrink(self) -> None:
        metrics.shrunk.inc()
        logged = [message for message in self._waiting if message["type"] == "live.log"]
        self._waiting.clear()
        if logged:
            self._waiting.append({**logged[-1], "records": []})

    def _run(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            try:
                self._take_turn()
            except (Exception, asyncio.CancelledError) as error:
                if not self._closed.is_set():
                    report_failure("send", error)
                    self._closed.wait(supervision.FIRST_DELAY_SECONDS)
        connections.close_all()

    def _take_turn(self) -> None:
        """Do the work, then send what waits: in turns, so that neither waits for long."""
        with self._lock:
            work, self._work = self._work, None
        if work is not None:
            work()
        self._sending = self._loop.create_task(self._send_waiting())
        self._loop.run_until_complete(self._sending)
        with self._lock:
            if not (self._waiting or self._work or self._closed.is_set()):
                self._wanted.clear()
                self._idle.set()

    async def _send_waiting(self) -> None:
        for _ in range(len(self._waiting)):
            with self._lock:
                if not self._waiting:  # they have shrunk
                    return
                message = self._waiting.popleft()
            await self._send(message)

    async def _send(self, message: Announcement) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await get_channel_layer().group_send(HUB_GROUP, message)
            outage.channel_layer.succeeded("sending")
        except (Exception, asyncio.CancelledError) as error:
            if is_own_cancellation():
                raise
            outage.channel_layer.failed(error, "sending")


def end_announcer() -> None:
    """End this process's sender, if it has one, and its database connection."""
    if _announcer.cache_info().currsize:
        _announcer(os.getpid()).close()
        _announcer.cache_clear()


def announcer() -> Announcer:
    """Return this process's sender."""
    return _announcer(os.getpid())


def announce(numbered: Numbered) -> None:
    """Tell every hub of records that have their numbers, and are committed."""
    (epoch, end), told = numbered.end, numbered.records
    start = end - len(told)
    for offset in range(0, len(told), RECORDS_AT_ONCE):
        part = told[offset : offset + RECORDS_AT_ONCE]
        announcer().put(log_grew(Cursor(epoch, start + offset + len(part)), part))
    if not told:  # their hubs read them
        announcer().put(log_grew(numbered.end, []))


@functools.cache
def _announcer(process_id: int) -> Announcer:
    # A forked child has another id, and so its own: threads do not survive a fork.
    return Announcer()
