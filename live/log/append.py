"""From sync code to every hub: through the log, or past it; on commit, in order."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from live.log import counter, numbering, records
from live.log.announcements import passing
from live.log.announcer import announce, announcer
from live.log.entry import Entry
from live.log.pending import number_soon
from live.log.records import Record


@dataclass(eq=False, frozen=True)
class _Waiting:
    """A record that waits for its batch's end.

    Registered as a callback of the commit, since Django forgets those of a savepoint that
    rolls back: by that, the batch knows which of its records still stand.
    """

    entry: Entry

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
    entry = Entry.of(record)
    if _batch.waiting is None:
        _append([entry])
        return
    waiting = _Waiting(entry)
    _batch.waiting.append(waiting)
    transaction.on_commit(waiting, using=counter.database())


@contextmanager
def one_batch() -> Iterator[None]:
    """Append what is written within at once, when the block ends; all in a transaction.

    For bulk writes: a statement for all costs less than one for each. Where the block raises,
    nothing is appended.
    """
    using = counter.database()
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
            _append([waiting.entry for waiting in kept])


def _standing(batch: Sequence[_Waiting], connection: BaseDatabaseWrapper) -> list[_Waiting]:
    if connection.needs_rollback:
        return []
    callbacks = {id(entry[1]) for entry in connection.run_on_commit}
    return [waiting for waiting in batch if id(waiting) in callbacks]


def _append(entries: Sequence[Entry]) -> None:
    using = counter.database()
    # Without a savepoint, which would be two more statements in a transaction that is open.
    with transaction.atomic(using=using, savepoint=False):
        numbered = numbering.append(entries)
        if numbered is None:
            transaction.on_commit(number_soon, using=using)
        else:
            transaction.on_commit(lambda: announce(numbered), using=using)


def forget_all(subject: str) -> None:
    """Take the payloads of all events about `subject` out of the log, in this transaction.

    For what is deleted without an event that tells of it. A process may have them in memory for a
    while: a replay looks up what is still there.
    """
    # No subscription is in a group of it, so that nobody hears of it.
    write(records.event((), b"", about=subject, forgets=True))


def send_on_commit(record: Record) -> None:
    """Send `record` past the log when the current transaction commits; at once outside one.

    At most once: what the channel layer loses is lost.
    """
    message = passing(record)
    transaction.on_commit(lambda: announcer().put(message))
