"""When a socket's next message is taken: not while too much of the client's own waits."""

import asyncio

from live.concurrency.scheduler import Rank, Scheduler
from live.concurrency.usage import Usage
from live.conf import conf
from live.socket.daphne import Reading
from live.socket.send_queue import SendQueue

# Below it a text is taken for what it is; above it, its values are counted.
SHORT = 1024
# What Python's lists, dicts and strings cost beside their text.
BYTES_PER_VALUE = 64


def weight(text: str) -> int:
    """Return about the bytes of memory that a message takes once it is read.

    A text of brackets alone becomes twenty times as large, and one emoji has Python keep four
    bytes for each character.
    """
    if len(text) < SHORT:
        return len(text)
    values = text.count("[") + text.count("{") + text.count(",")
    return len(text) * (1 if text.isascii() else 4) + values * BYTES_PER_VALUE


# Before a heavy client's next message is read, what was read from others is handled.
READING = 1_000_000_000


async def turn_of(usage: Usage, scheduler: Scheduler, later: int = 0) -> None:
    """Return when a client's work may begin: events go first, heavy clients last."""
    if usage.is_heavy:
        await scheduler.turn(Rank.HEAVY, int(usage.seconds * 1000) + later)
    elif not scheduler.begin():
        await scheduler.turn(Rank.REQUESTS)


class Intake:
    """Holds a client back that leaves answers unread, or whose requests take too much memory.

    Args:
        queue: what the client is sent.
        reading: what is read from it.
    """

    __slots__ = ("_fewer", "_queue", "_reading", "_running", "is_paused")

    def __init__(self, queue: SendQueue, reading: Reading) -> None:
        self._queue, self._reading = queue, reading
        self._running = 0
        self._fewer: asyncio.Event | None = None
        self.is_paused = False

    def begin(self, weight: int) -> None:
        """Count a request that begins to run."""
        self._running += weight

    def end(self, weight: int) -> None:
        """Count a request no more, however it ended."""
        self._running -= weight
        if self._fewer is not None and not self._is_full:
            self._fewer.set()
            self._fewer = None

    @property
    def _is_full(self) -> bool:
        return self._running > conf.INBOX_BYTES

    async def ready(self) -> None:
        """Return when the client's next message may be read."""
        if not self._queue.is_unread and not self._running:
            return
        while self._queue.is_unread or self._is_full:
            self._pause()
            await self._queue.read()
            if self._is_full:
                self._fewer = self._fewer or asyncio.Event()
                await self._fewer.wait()
        self._resume()

    async def turn(self, usage: Usage, scheduler: Scheduler, later: int = 0) -> None:
        """Return when the client has its turn (see `turn_of`); nothing is read from it before."""
        if usage.is_heavy:
            self._pause()
        await turn_of(usage, scheduler, later)
        self._resume()

    def _pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self._reading.pause_reading()

    def _resume(self) -> None:
        if self.is_paused:
            self._reading.resume_reading()
            self.is_paused = False
