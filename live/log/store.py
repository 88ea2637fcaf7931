"""The event log: append, read after a place, position, prune. Sync: it uses the database.

What is appended is numbered in the order of the commits, without holes: a reader who has had
number N misses nothing by asking for what comes after N.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connections, router, transaction
from django.db.models import Subquery
from django.utils import timezone

from live.log import records
from live.log.cursor import Cursor, encode
from live.models import Log, LoggedEvent

# Rows deleted in one transaction: some milliseconds, for which a reader of SQLite's waits.
PRUNED_AT_ONCE = 1000

_TABLE = Log._meta.db_table


class Extent(NamedTuple):
    """What the log holds: the records `first` … `last`; nothing where `first` is `last` + 1."""

    epoch: int
    first: int
    last: int

    def reaches(self, cursor: Cursor) -> bool:
        """Whether everything that came after `cursor` is still there."""
        return cursor.epoch == self.epoch and self.first - 1 <= cursor.number <= self.last


def database() -> str:
    """Return the alias of the log's database."""
    return router.db_for_write(LoggedEvent)


def append(packed: Sequence[bytes], subjects: Sequence[str | None] = ()) -> Cursor:
    """Append records within the caller's transaction; return the place after the last.

    `subjects` says what each is about; none is about anything where it is empty.

    The counter's row stays locked until that transaction ends: call it late in a long one.
    Raises TransactionManagementError outside a transaction.
    """
    using = database()
    if not connections[using].in_atomic_block:
        raise transaction.TransactionManagementError("the log is appended to in a transaction")
    with connections[using].cursor() as cursor:
        epoch, last = _advance(cursor, len(packed))
        _insert(cursor, last - len(packed) + 1, packed, subjects or [None] * len(packed))
    return Cursor(epoch, last)


# By hand, since every write pays for them: the ORM's own ways cost three times as much, and
# its update() cannot return the new value.
_ADVANCE = f"UPDATE {Log._meta.db_table} SET last = last + %s RETURNING epoch, last"  # noqa: S608
_INSERT = (
    f"INSERT INTO {LoggedEvent._meta.db_table} (number, packed, written_at, subject) "  # noqa: S608
    "VALUES (%s, %s, %s, %s)"
)


def _advance(cursor: Any, count: int) -> tuple[int, int]:
    cursor.execute(_ADVANCE, [count])
    row: tuple[int, int] | None = cursor.fetchone()
    if row is None:
        _create(database())
        cursor.execute(_ADVANCE, [count])
        row = cursor.fetchone()
        assert row is not None, "the row was made"
    return row


def _insert(
    cursor: Any, first: int, packed: Sequence[bytes], subjects: Sequence[str | None]
) -> None:
    adapt = cursor.db.ops.adapt_datetimefield_value
    now = adapt(timezone.now())
    rows = enumerate(zip(packed, subjects, strict=True), first)
    cursor.executemany(_INSERT, [(n, record, now, subject) for n, (record, subject) in rows])


def forget(before: Mapping[str, int]) -> None:
    """Take the payloads of former events out of the log, within the caller's transaction.

    Args:
        before: by subject, the number of the event that makes those before it forgotten. Their
            numbers and groups stay, so that readers find no hole.
    """
    events = LoggedEvent.objects.using(database())
    found = events.filter(subject__in=list(before)).values_list("number", "packed", "subject")
    emptied = [
        LoggedEvent(number=number, packed=records.forgotten(bytes(packed)))
        for number, packed, subject in found
        if subject is not None and number < before[subject]
    ]
    events.bulk_update(emptied, ["packed"], batch_size=500)


def _create(using: str) -> None:
    # Two may find no row at once: one of them inserts it, and the other waits for that.
    row = Log(pk=Log.ONLY, epoch=_new_epoch())
    Log.objects.using(using).bulk_create([row], ignore_conflicts=True)


def _new_epoch() -> int:
    return secrets.randbits(62)


def end() -> Cursor:
    """Return the place after the last record."""
    using = database()
    row = Log.objects.using(using).values_list("epoch", "last").first()
    if row is None:
        _create(using)
        row = Log.objects.using(using).values_list("epoch", "last").get()
    return Cursor(*row)


def position() -> str:
    """Return the log's end as clients get it."""
    return encode(end())


def extent() -> Extent:
    """Return what the log holds now."""
    using = database()
    oldest = LoggedEvent.objects.values("number")[:1]
    # One statement, since between two of them the log may grow, or be pruned.
    logs = Log.objects.using(using).annotate(first=Subquery(oldest))
    row = logs.values_list("epoch", "first", "last").first()
    if row is None:
        epoch, last = end()
        return Extent(epoch, last + 1, last)
    epoch, first, last = row
    return Extent(epoch, last + 1 if first is None else first, last)


def read(first: int, last: int) -> list[tuple[int, bytes]]:
    """Return the records `first` … `last` that there are, as (number, packed), in order."""
    rows = LoggedEvent.objects.using(database()).filter(number__gte=first, number__lte=last)
    return [(number, bytes(packed)) for number, packed in rows.values_list("number", "packed")]


def start_new_epoch() -> None:
    """Make every cursor given so far one of another log: after a restored backup."""
    using = database()
    if not Log.objects.using(using).update(epoch=_new_epoch()):
        _create(using)


def prune(before: datetime) -> int:
    """Delete the records written before `before`, oldest first, in small transactions.

    Return how many. Stops at the first that is newer, so that what is left has no hole.
    """
    deleted = 0
    while count := _prune_some(before):
        deleted += count
    return deleted


def _prune_some(before: datetime) -> int:
    events = LoggedEvent.objects.using(database())
    oldest = list(events.values_list("number", "written_at")[:PRUNED_AT_ONCE])
    last = _last_before(before, timezone.now(), oldest)
    return events.filter(number__lte=last).delete()[0] if last else 0


def _last_before(before: datetime, now: datetime, oldest: list[tuple[int, datetime]]) -> int:
    """Return the number of the last record that is to go, 0 for none.

    A record from the future, by a clock that was wrong, goes with those after it.
    """
    last = 0
    for number, at in oldest:
        if at < before:
            last = number
        elif at <= now:
            break
    return last
