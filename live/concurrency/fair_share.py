"""How many threads of a pool one client may have at a time: the others must get their turn."""

import asyncio
import contextlib
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar

from live.concurrency.per_loop import per_loop
from live.conf import conf
from live.errors import RateLimited

# Calls of one client that may wait for its own. A document has a thousand fields at the most.
MOST_WAITING = 2000


class FairShare:
    """One client's calls in one pool: half of the threads at the most; the others wait in order."""

    __slots__ = ("_free", "_waiting")

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(max(1, conf.MAX_WORKER_THREADS // 2))
        self._waiting = 0

    async def place(self) -> "Place":
        """Wait for a thread's place; raise RateLimited where too many calls wait already."""
        if self._waiting >= MOST_WAITING:
            raise RateLimited(limit="waiting_for_threads")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        return Place(self._free)


class Place:
    """A call's place in its client's share, from before it is queued until its thread is done.

    A call that is cancelled goes on in its thread: nothing can stop it there.
    """

    __slots__ = ("_free", "_is_given_back", "_loop", "began")

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free, self._loop = free, asyncio.get_running_loop()
        self._is_given_back = False
        self.began = False  # set in the thread

    def give_back(self) -> None:
        """Let the client's next call have it; on the loop."""
        if not self._is_given_back:
            self._is_given_back = True
            self._free.release()

    def done(self) -> None:
        """The same, from the thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self.give_back)


class Shares:
    """One client's shares, one in each pool."""

    __slots__ = ("_by_pool",)

    def __init__(self) -> None:
        self._by_pool: Callable[[], dict[Hashable, FairShare]] = per_loop(dict)

    def of(self, pool: Hashable) -> FairShare:
        """Return the share in `pool`."""
        by_pool = self._by_pool()
        share = by_pool.get(pool)
        if share is None:
            share = by_pool[pool] = FairShare()
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
