"""Numbers that are given in the writer's transaction: where the database has one writer at a time.

The counter's row stays locked until that transaction ends, as everything else does.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.utils import timezone

from live.log import counter, records
from live.log.cursor import Cursor
from live.log.entry import Entry, Numbered
from live.models import Log, LoggedEvent

# By hand, since every write pays for them: the ORM's own ways cost three times as much, and
# its update() cannot return the new value.
_ADVANCE = f"UPDATE {Log._meta.db_table} SET last = last + %s RETURNING epoch, last"  # noqa: S608
_INSERT = (
    f"INSERT INTO {LoggedEvent._meta.db_table} (number, packed, written_at, subject, emptied) "  # noqa: S608
    "VALUES (%s, %s, %s, %s, %s)"
)
_FORGET = (
    f"UPDATE {LoggedEvent._meta.db_table} SET packed = COALESCE(emptied, %s) "  # noqa: S608
    "WHERE subject = %s AND number < %s"
)


def append(entries: Sequence[Entry]) -> Numbered:
    """Append records, and take the payloads of those that they make forgotten out of the log."""
    with connections[counter.database()].cursor() as cursor:
        epoch, last = _advance(cursor, len(entries))
        first = last - len(entries) + 1
        _insert(cursor, first, entries)
        _forget(cursor, first, entries)
    return Numbered(Cursor(epoch, last), [entry.packed for entry in entries])


def number() -> None:
    """Do nothing: what was committed has its number."""


def _advance(cursor: Any, count: int) -> tuple[int, int]:
    cursor.execute(_ADVANCE, [count])
    row: tuple[int, int] | None = cursor.fetchone()
    if row is None:
        counter.create()
        cursor.execute(_ADVANCE, [count])
        row = cursor.fetchone()
        assert row is not None, "the row was made"
    return row


def _insert(cursor: Any, first: int, entries: Sequence[Entry]) -> None:
    now = cursor.db.ops.adapt_datetimefield_value(timezone.now())
    rows = [(n, e.packed, now, e.subject, e.emptied) for n, e in enumerate(entries, first)]
    cursor.executemany(_INSERT, rows)


def _forget(cursor: Any, first: int, entries: Sequence[Entry]) -> None:
    before = {entry.subject: n for n, entry in enumerate(entries, first) if entry.forgets}
    for subject, number in before.items():
        cursor.execute(_FORGET, [records.NOTHING, subject, number])
