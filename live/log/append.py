"""From sync code to every hub: through the log, or past it; on commit, in order."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from live.log import records, store
from live.log.announcements import log_grew, passing
from live.log.announcer import announcer
from live.log.cursor import Cursor
from live.log.records import Record

# Records told of in one message, so that a batch makes none of megabytes.
RECORDS_AT_ONCE = 100


@dataclass(eq=False, frozen=True)
class _Waiting:
    """A record that waits for its batch's end.

    Registered as a callback of the commit, since Django forgets those of a savepoint that
    rolls back: by that, the batch knows which of its records still stand.
    """

    packed: bytes
    subject: str | None
    forgets: bool

    def __call__(self) -> None:
        pass


class _Batch(threading.local):
    """What waits in this thread's batch, None outside one.

    A thread's, as connections are: code that was called from within a batch, but runs in
    another thread, has transactions of its own.
    """

    waiting: list[_Waiting] | None = None


_batch = _Batch()


def write(record: Record) -> None:
    """Append `record` to the log in the current transaction, or in one of its own.

    Every hub hears of it when that commits; after a rollback nothing is left of it.
    """
    waiting = _Waiting(records.pack(record), record.subject, record.forgets)
    if _batch.waiting is None:
        _append([waiting])
        return
    _batch.waiting.append(waiting)
    transaction.on_commit(waiting, using=store.database())


@contextmanager
def one_batch() -> Iterator[None]:
    """Append what is written within as one range, when the block ends; all in a transaction.

    The log's counter is locked from an append to the commit, so this also keeps other
    writers waiting for less long. Where the block raises, nothing is appended.
    """
    using = store.database()
    with transaction.atomic(using=using):
        if _batch.waiting is not None:
            yield  # the outer batch appends
            return
        batch = _batch.waiting = []
        try:
            yield
        finally:
            _batch.waiting = None
        if kept := _standing(batch, connections[using]):
            _append(kept)


def _standing(batch: Sequence[_Waiting], connection: BaseDatabaseWrapper) -> list[_Waiting]:
    if connection.needs_rollback:
        return []
    callbacks = {id(entry[1]) for entry in connection.run_on_commit}
    return [waiting for waiting in batch if id(waiting) in callbacks]


def _append(batch: Sequence[_Waiting]) -> None:
    using, packed = store.database(), [waiting.packed for waiting in batch]
    # Without a savepoint, which would be two more statements in a transaction that is open.
    with transaction.atomic(using=using, savepoint=False):
        end = store.append(packed, [waiting.subject for waiting in batch])
        first = end.number - len(batch) + 1
        forgets = {w.subject: n for n, w in enumerate(batch, first) if w.forgets and w.subject}
        if forgets:
            store.forget(forgets)
        transaction.on_commit(lambda: _tell(end, packed), using=using)


def _tell(end: Cursor, batch: Sequence[bytes]) -> None:
    start = end.number - len(batch)
    for offset in range(0, len(batch), RECORDS_AT_ONCE):
        part = batch[offset : offset + RECORDS_AT_ONCE]
        announcer().put(log_grew(Cursor(end.epoch, start + offset + len(part)), part))


def forget_all(subject: str) -> None:
    """Take the payloads of all events about `subject` out of the log, in this transaction.

    For what is deleted without an event that tells of it. A process may have them in memory for a
    while: a replay looks up what is still there.
    """
    with transaction.atomic(using=store.database()):
        store.forget({subject: store.end().number + 1})


def send_on_commit(record: Record) -> None:
    """Send `record` past the log when the current transaction commits; at once outside one.

    At most once: what the channel layer loses is lost.
    """
    message = passing(record)
    transaction.on_commit(lambda: announcer().put(message))
