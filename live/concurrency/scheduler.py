"""Long work in short pieces, so that everything else of the loop gets its turn."""

import asyncio
import heapq
import itertools
import time
from operator import itemgetter

# What one piece may take: all that comes meanwhile waits for it.
LONGEST_SECONDS = 0.005
# Every so often it is the turn of who has waited longest, so that no rank waits for ever.
LONGEST_WAITING_EVERY = 16


class Turns:
    """A queue of those whose work is long: one of them has a piece in each turn of the loop.

    Args:
        seconds: what a piece may take.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._is_granting = False
        self._granted = 0
        self._ends = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the piece that is being worked on has taken its time."""
        return time.monotonic() >= self._ends

    async def next(self, rank: int = 0) -> None:
        """Return when the caller may work for another piece: the lowest rank is first."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (rank, next(self._arrivals), turn))
        if not self._is_granting:
            self._is_granting = True
            loop.call_soon(self._grant)
        await turn
        seconds = LONGEST_SECONDS if self._seconds is None else self._seconds
        self._ends = time.monotonic() + seconds

    def _grant(self) -> None:
        while self._waiting:
            turn = self._next_turn()
            if not turn.done():  # cancelled
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._grant)
                return
        self._is_granting = False

    def _next_turn(self) -> "asyncio.Future[None]":
        self._granted += 1
        if self._granted % LONGEST_WAITING_EVERY:
            return heapq.heappop(self._waiting)[2]
        longest = min(self._waiting, key=itemgetter(1))
        self._waiting.remove(longest)
        heapq.heapify(self._waiting)
        return longest[2]
