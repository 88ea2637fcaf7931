"""How many threads of a pool one client may have at a time: the others must get their turn."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar

from live.concurrency.per_loop import per_loop
from live.concurrency.usage import Usage
from live.conf import conf
from live.errors import RateLimited

# Calls of one client that may wait for its own. A document has a thousand fields at the most.
MOST_WAITING = 2000


class Threads:
    """The threads of one pool that clients share: who used the processor least is next.

    All heavy clients together have one: Python runs one thread at a time, and the event loop,
    with all subscribers, is one of those that want their turn.

    Args:
        count: of the pool's threads.
    """

    __slots__ = ("_arrivals", "_free", "_heavy", "_is_lane_free", "_light")

    def __init__(self, count: int) -> None:
        self._free, self._is_lane_free = count, True
        self._light: list[_Waiting] = []
        self._heavy: list[_Waiting] = []
        self._arrivals = itertools.count()

    async def take(self, usage: Usage) -> bool:
        """Wait for a thread; return whether it is that of heavy clients, for `give_back`."""
        is_heavy = usage.is_heavy
        free: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._heavy if is_heavy else self._light
        heapq.heappush(waiting, (usage.seconds, next(self._arrivals), free))
        self._grant()
        try:
            await free
        except BaseException:
            if free.done() and not free.cancelled():
                self.give_back(is_heavy)
            raise
        return is_heavy

    def give_back(self, is_heavy: bool) -> None:
        """Let the next call have the thread."""
        self._free += 1
        self._is_lane_free |= is_heavy
        self._grant()

    def _grant(self) -> None:
        while self._free and (free := _next(self._light)):
            self._free -= 1
            free.set_result(None)
        if self._free and self._is_lane_free and (free := _next(self._heavy)):
            self._free -= 1
            self._is_lane_free = False
            free.set_result(None)


# What the client had used, the arrival, and what its call waits for.
_Waiting = tuple[float, int, asyncio.Future[None]]


def _next(waiting: list[_Waiting]) -> asyncio.Future[None] | None:
    """Return what the first call waits for, without those that were cancelled."""
    while waiting:
        free = heapq.heappop(waiting)[2]
        if not free.done():
            return free
    return None


class FairShare:
    """One client's calls in one pool: half of the threads at the most; the others wait in order.

    Args:
        usage: what the client used of the processor.
        threads: of the pool, which all clients share.
    """

    __slots__ = ("_free", "_threads", "_usage", "_waiting")

    def __init__(self, usage: Usage, threads: Threads) -> None:
        self._free = asyncio.Semaphore(max(1, conf.MAX_WORKER_THREADS // 2))
        self._usage, self._threads = usage, threads
        self._waiting = 0

    async def place(self) -> "Place":
        """Wait for a thread's place; raise RateLimited where too many calls wait already."""
        if self._waiting >= MOST_WAITING:
            raise RateLimited(limit="waiting_for_threads")
        self._waiting += 1
        try:
            await self._free.acquire()
            return await self._place()
        finally:
            self._waiting -= 1

    async def _place(self) -> "Place":
        try:
            is_heavy = await self._threads.take(self._usage)
        except BaseException:
            self._free.release()
            raise
        return Place(self._free, self._threads, is_heavy)


class Place:
    """A call's place in its client's share, from before it is queued until its thread is done.

    A call that is cancelled goes on in its thread: nothing can stop it there.
    """

    __slots__ = ("_free", "_is_given_back", "_is_heavy", "_loop", "_threads", "began")

    def __init__(self, free: asyncio.Semaphore, threads: Threads, is_heavy: bool) -> None:
        self._free, self._threads, self._is_heavy = free, threads, is_heavy
        self._loop = asyncio.get_running_loop()
        self._is_given_back = False
        self.began = False  # set in the thread

    def give_back(self) -> None:
        """Let the client's next call have it; on the loop."""
        if not self._is_given_back:
            self._is_given_back = True
            self._free.release()
            self._threads.give_back(self._is_heavy)

    def done(self) -> None:
        """The same, from the thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self.give_back)


# The threads of each pool.
_threads: Callable[[], dict[Hashable, Threads]] = per_loop(dict)


class Shares:
    """One client's shares, one in each pool, and what it used of the processor."""

    __slots__ = ("_by_pool", "usage")

    def __init__(self) -> None:
        self._by_pool: Callable[[], dict[Hashable, FairShare]] = per_loop(dict)
        self.usage = Usage()

    def of(self, pool: Hashable, count: int) -> FairShare:
        """Return the share in `pool`, which has `count` threads."""
        by_pool = self._by_pool()
        share = by_pool.get(pool)
        if share is None:
            threads = _threads().setdefault(pool, Threads(count))
            share = by_pool[pool] = FairShare(self.usage, threads)
        return share


# The shares that the present task's calls count in, None for what is not one client's.
_present: ContextVar[Shares | None] = ContextVar("shares", default=None)


def present_shares() -> Shares | None:
    """Return the shares in which the present task's calls count."""
    return _present.get()


@contextlib.contextmanager
def counting_in(shares: Shares | None) -> Iterator[None]:
    """Count the calls of the block, and of the tasks that it starts, in `shares`."""
    token = _present.set(shares)
    try:
        yield
    finally:
        _present.reset(token)
