"""The thread that hands this process's messages to the channel layer, in their order.

A writer never waits for the layer. What is in the log need not get through: whoever misses
a message reads the log. So where the layer is slow or away, what waits shrinks to one message
that says how far the log has come.
"""

import asyncio
import atexit
import contextlib
import functools
import os
import threading
from collections import deque

from channels.layers import get_channel_layer

from live import metrics
from live.concurrency import outage
from live.concurrency.cancellation import is_own_cancellation
from live.concurrency.supervision import keep_running
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
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        # One loop for all messages: one for each would cost more than the sending, and a
        # Redis layer would connect anew on each.
        self._loop = asyncio.new_event_loop()
        self._something_waits = asyncio.Event()
        self._task = self._loop.create_task(keep_running("send", self._send_for_ever))
        self._thread = threading.Thread(target=self._run, name="live-sender", daemon=True)
        self._thread.start()
        atexit.register(self.flush, EXIT_SECONDS)

    def put(self, message: Announcement) -> None:
        """Send `message` to every hub, after those that were put before."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._shrink()
            self._waiting.append(message)
            if self._idle.is_set():
                self._idle.clear()
                self._loop.call_soon_threadsafe(self._something_waits.set)

    def flush(self, seconds: float | None = None) -> bool:
        """Return True when all is sent that was put so far; False after `seconds`."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """End the thread; what waits is not sent (a process' own sender ends with it)."""
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _shrink(self) -> None:
        metrics.shrunk.inc()
        logged = [message for message in self._waiting if message["type"] == "live.log"]
        self._waiting.clear()
        if logged:
            self._waiting.append({**logged[-1], "records": []})

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    async def _send_for_ever(self) -> None:
        while True:
            # First what a failure left, which nobody puts again.
            await self._empty()
            await self._something_waits.wait()
            self._something_waits.clear()

    async def _empty(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._idle.set()
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
