"""Long work in short pieces, so that everything else on the event loop gets its turn."""

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

logger = logging.getLogger(__name__)

# What one piece may take: all that comes meanwhile waits for it.
LONGEST_SECONDS = 0.005
# Housekeeping's: what it does is late by then, and events are on their way.
HOUSEKEEPING_SECONDS = 0.001
# Of so many pieces, one goes to who has waited longest, one to the last rank, and one to the last
# but heavy clients, so that nobody waits for ever.
FAIR_EVERY = 16


class Rank(IntEnum):
    """Whose piece is first, where several wait."""

    LIVE = 0
    REQUESTS = 1
    CATCHING_UP = 2
    HOUSEKEEPING = 3
    # Requests of clients that used more than their share of the processor.
    HEAVY = 4


# What begins with a piece: what its task waits for, or what is called.
_Work = Any  # asyncio.Future[None] | Callable[[], None]
# The order within a rank, the arrival, and what waits.
_Waiting = tuple[int, int, _Work]


class Scheduler:
    """Shares one event loop among those whose work is long: a piece for one of them at a time.

    In each turn of the loop at most one piece is worked on. Where nobody waits, a piece may
    begin at once (`begin`); else it is waited for (`turn`), or called when it comes (`call`).
    """

    def __init__(self) -> None:
        self._waiting: dict[Rank, list[_Waiting]] = {rank: [] for rank in Rank}
        self._arrivals = itertools.count()
        # From the beginning of a piece until the loop has turned and nobody waits.
        self._is_busy = False
        self._granted = 0
        self._ends = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the piece that is being worked on has taken its time."""
        return time.monotonic() >= self._ends

    def begin(self) -> bool:
        """Return whether live work may be done right now: in this piece, or in one that begins."""
        now = time.monotonic()
        if now < self._ends:
            return True
        if self._is_busy:
            return False
        self._is_busy = True
        self._ends = now + LONGEST_SECONDS
        asyncio.get_running_loop().call_soon(self._grant)
        return True

    async def turn(self, rank: Rank, order: int = 0) -> None:
        """Return when the caller may work on another piece.

        Args:
            order: who is first within a rank: the lowest, and of equals who came first.
        """
        piece: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wait(rank, order, piece)
        await piece
        seconds = HOUSEKEEPING_SECONDS if rank is Rank.HOUSEKEEPING else LONGEST_SECONDS
        self._ends = time.monotonic() + seconds

    def call(self, work: Callable[[], None]) -> None:
        """Call `work`, which is live and short, in a piece to come; it must not raise."""
        self._wait(Rank.LIVE, 0, work)

    def _wait(self, rank: Rank, order: int, work: _Work) -> None:
        heapq.heappush(self._waiting[rank], (order, next(self._arrivals), work))
        if not self._is_busy:
            self._is_busy = True
            asyncio.get_running_loop().call_soon(self._grant)

    def _grant(self) -> None:
        """Let the next one begin its piece, in the next turn of the loop."""
        loop = asyncio.get_running_loop()
        while (work := self._next()) is not None:
            if not isinstance(work, asyncio.Future):
                loop.call_soon(self._work, work)
                return
            if not work.done():  # else its task was cancelled
                work.set_result(None)
                loop.call_soon(self._grant)
                return
        self._is_busy = False

    def _work(self, work: Callable[[], None]) -> None:
        """Call `work`, and in the same piece what else is to be called."""
        self._ends = time.monotonic() + LONGEST_SECONDS
        _call(work)
        live = self._waiting[Rank.LIVE]
        while live and not isinstance(live[0][2], asyncio.Future) and not self.is_over:
            _call(heapq.heappop(live)[2])
        self._grant()

    def _next(self) -> _Work | None:
        waiting = [rank for rank in Rank if self._waiting[rank]]
        if not waiting:
            return None
        self._granted += 1
        match self._granted % FAIR_EVERY:
            case 0:
                return self._longest_waiting(waiting)
            case 8:
                return heapq.heappop(self._waiting[waiting[-1]])[2]
            case 4 if waiting[-1] is Rank.HEAVY and len(waiting) > 1:
                return heapq.heappop(self._waiting[waiting[-2]])[2]
        return heapq.heappop(self._waiting[waiting[0]])[2]

    def _longest_waiting(self, ranks: list[Rank]) -> _Work:
        arrived = ((entry[1], rank, entry) for rank in ranks for entry in self._waiting[rank])
        _, rank, longest = min(arrived)
        self._waiting[rank].remove(longest)
        heapq.heapify(self._waiting[rank])
        return longest[2]


def _call(work: Callable[[], None]) -> None:
    try:
        work()
    except (Exception, asyncio.CancelledError) as error:
        # Those who wait are still to be served. Its text may quote a patient.
        logger.error("Scheduled work failed: %s", type(error).__name__)
