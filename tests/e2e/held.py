"""Transactions of a real PostgreSQL that are kept open while others go on."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta

from django.db import connection, connections, transaction
from django.utils import timezone

from tests.live.wire import TIMEOUT


@contextmanager
def connected_threads(count):
    """Yield so many threads, whose connections are closed when they end."""
    with ThreadPoolExecutor(count) as pool:
        yield pool
        for _ in range(count):
            pool.submit(connections.close_all)


@contextmanager
def quickly():
    """Have whatever waits for a lock here give up with an error."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
        yield
        cursor.execute("RESET lock_timeout")


class Held:
    """Does something in a transaction of a thread's, which it keeps open until it is let."""

    def __init__(self, threads, work, rolls_back=False):
        self._done, self._let = threading.Event(), threading.Event()
        self._future = threads.submit(self._run, work, rolls_back)
        assert self._done.wait(TIMEOUT)

    def _run(self, work, rolls_back):
        with closing(connection), transaction.atomic():
            try:
                return work()
            finally:
                self._done.set()
                assert self._let.wait(TIMEOUT)
                transaction.set_rollback(rolls_back)

    def let(self):
        """Let the transaction end; return what was done."""
        self._let.set()
        return self._future.result(TIMEOUT)


def wait_for_waiting():
    """Return once somebody waits for a lock in the database."""
    look = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    until = timezone.now() + timedelta(seconds=TIMEOUT)
    with connection.cursor() as cursor:
        while timezone.now() < until:
            cursor.execute(look)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")
