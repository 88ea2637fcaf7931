"""Long work in short pieces, so that everything else of the loop gets its turn."""

import asyncio
import time

# What one piece may take: all that comes meanwhile waits for it.
LONGEST_SECONDS = 0.005


class Turns:
    """A queue of those whose work is long: one of them has a piece in each turn of the loop."""

    def __init__(self) -> None:
        self._gate = asyncio.Lock()
        self._ends = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the piece that is being worked on has taken its time."""
        return time.monotonic() >= self._ends

    async def next(self) -> None:
        """Return when the caller may work for another piece."""
        async with self._gate:
            await asyncio.sleep(0)
        self._ends = time.monotonic() + LONGEST_SECONDS
