"""Has what this process commits numbered and told of, in a thread of its own: no writer waits."""

import atexit
import functools
import logging
import os
import threading

from django.db import connections

from live.concurrency import outage
from live.concurrency.outage import Outage
from live.log import counter, numbering
from live.log.announcer import EXIT_SECONDS, announce, announcer
from live.log.cursor import Cursor

logger = logging.getLogger(__name__)

_outage = Outage(logger, "The event log gave no numbers")


def number_pending() -> None:
    """Give numbers to all that was committed and has none, and tell every hub of it."""
    while (numbered := numbering.number()) is not None:
        announce(numbered)
        if not numbered.is_part:
            return


def settled_end() -> Cursor:
    """Return the place after all that was committed before; that has its numbers now."""
    end, is_pending = counter.look()
    if not is_pending:
        return end
    number_pending()
    return counter.end()


def look() -> Cursor:
    """Return the log's end, as a hub looks for it: where numbers fail, those that there are."""
    end, is_pending = counter.look()
    if not is_pending:
        return end
    _try_to_number()
    return counter.end()


def _try_to_number() -> None:
    try:
        number_pending()
        _outage.succeeded()
    except Exception as error:
        # Whoever looks next tries again: each hub, within the second.
        outage.report(error, _outage)


class Numberer:
    """The thread."""

    def __init__(self) -> None:
        # First, since at the end of the process it is to be flushed last.
        announcer()
        self._lock, self._closing = threading.Lock(), False
        self._wanted, self._idle = threading.Event(), threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._run, name="live-numberer", daemon=True)
        self._thread.start()
        atexit.register(self.flush, EXIT_SECONDS)

    def wake(self) -> None:
        """Have it number what was committed so far."""
        with self._lock:
            self._idle.clear()
            self._wanted.set()

    def flush(self, seconds: float | None = None) -> bool:
        """Return True when all is told that was committed so far; False after `seconds`."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """End the thread and its database connection; what is pending is left to others."""
        self._closing = True
        self.wake()
        self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._closing:
            self._wanted.clear()
            connections[counter.database()].close_if_unusable_or_obsolete()
            _try_to_number()
            with self._lock:
                if not self._wanted.is_set():
                    self._idle.set()
        connections[counter.database()].close()


def numberer() -> Numberer:
    """Return this process's numberer."""
    return _numberer(os.getpid())


def end_numberer() -> None:
    """End this process's numberer, if it has one."""
    if _numberer.cache_info().currsize:
        numberer().close()
        _numberer.cache_clear()


@functools.cache
def _numberer(process_id: int) -> Numberer:
    # A forked child has another id, and so its own: threads do not survive a fork.
    return Numberer()
