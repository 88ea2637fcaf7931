"""What each client uses of the processor, so that who uses much waits for the others."""

import math
import time
from collections.abc import Callable, Coroutine, Generator
from threading import Lock
from typing import Any, Generic, TypeVar

from live.conf import conf

Value = TypeVar("Value")

# After so many seconds a third of what was used still counts.
FADE_SECONDS = 5


class Usage:
    """Seconds of the processor that one client used lately; they fade."""

    __slots__ = ("_at", "_clock", "_lock", "_used")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._used, self._at, self._clock = 0.0, clock(), clock
        self._lock = Lock()  # worker threads charge, too

    def charge(self, seconds: float) -> None:
        """Count what was used for the client."""
        with self._lock:
            self._used = self.seconds + seconds
            self._at = self._clock()

    @property
    def seconds(self) -> float:
        """Return what still counts."""
        return self._used * math.exp((self._at - self._clock()) / FADE_SECONDS)

    @property
    def is_heavy(self) -> bool:
        """Whether the client used more than its share: all others go first."""
        return self.seconds > conf.CPU_SHARE_OF_CLIENT * FADE_SECONDS


class Measured(Generic[Value]):
    """Awaits a coroutine and charges what its steps take on the event loop.

    Not those of tasks that it starts.
    """

    __slots__ = ("_coroutine", "_usage")

    def __init__(self, coroutine: Coroutine[Any, Any, Value], usage: Usage) -> None:
        self._coroutine, self._usage = coroutine, usage

    def __await__(self) -> Generator[Any, Any, Value]:
        step = _sending(self._coroutine, None)
        while True:
            began = time.thread_time()
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            finally:
                self._usage.charge(time.thread_time() - began)
            try:
                value = yield waits_for
            except BaseException as error:
                step = _throwing(self._coroutine, error)
            else:
                step = _sending(self._coroutine, value)


def _throwing(coroutine: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(error)


def _sending(coroutine: Coroutine[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: coroutine.send(value)
