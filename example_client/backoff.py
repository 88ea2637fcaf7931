"""How long to wait before the next attempt; pure."""

import random
from collections.abc import Callable


class Backoff:
    """Delays that double up to a bound, each with jitter.

    A delay lies between half and all of its step. The jitter spreads the clients of a
    server that restarts, which would otherwise all come back in the same moment.

    Args:
        first: the shortest delay in seconds.
        longest: the longest delay in seconds.
        randomly: returns a number from 0 up to 1.
    """

    def __init__(
        self,
        first: float = 0.5,
        longest: float = 30.0,
        randomly: Callable[[], float] = random.random,
    ) -> None:
        self.longest = longest
        self._first_step = min(2 * first, longest)
        self._randomly = randomly
        self._step = self._first_step

    def next_delay(self) -> float:
        """Return the seconds to wait, and double the step."""
        step = self._step
        self._step = min(2 * step, self.longest)
        return step / 2 * (1 + self._randomly())

    def reset(self) -> None:
        """Begin again with the shortest delay."""
        self._step = self._first_step
