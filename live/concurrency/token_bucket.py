"""A rate limit that allows short bursts. Pure."""

import time
from collections.abc import Callable


class TokenBucket:
    """Allows `rate` events a second on average, and `burst` at once."""

    __slots__ = ("_clock", "_filled_at", "_tokens", "burst", "rate")

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._tokens, self._filled_at = burst, clock()

    def take(self, tokens: float = 1) -> bool:
        """Take `tokens`; return False if there are fewer. A request for several then takes all."""
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        enough = self._tokens >= tokens
        if enough or tokens > 1:
            self._tokens = max(0.0, self._tokens - tokens)
        return enough
