"""Numbers that are given after the writer's commit, so that no writer waits for another.

A record is one row of a table of what is pending, whose identity gives its id. Whoever numbers
moves the rows that are committed into the log, in the order of their ids, in one message to the
database: a process that is stopped in the midst of it holds no lock.

Why the order is right: of a record that was committed before another's transaction began, whoever
sees the other's row sees its row too, and it has the lower id. Two transactions that change one
row are in the order of that row's lock, as their records are written after it is taken.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.utils import timezone

from live.conf import conf
from live.log import counter, records
from live.log.cursor import Cursor
from live.log.entry import Entry, Numbered
from live.models import Log, LoggedEvent, PendingEvent

# Records that get their numbers by one statement: it takes some milliseconds.
MOST_AT_ONCE = 500

_LOG, _EVENTS = Log._meta.db_table, LoggedEvent._meta.db_table
_PENDING = PendingEvent._meta.db_table

_INSERT = (
    f"INSERT INTO {_PENDING} (packed, written_at, subject, emptied, forgets, urgent) "  # noqa: S608
    "VALUES (%s, %s, %s, %s, %s, %s)"
)
# Of what is numbered. What is pending, its number will forget: to lock a row of it here would
# have everybody wait for this transaction.
_FORGET = f"UPDATE {_EVENTS} SET packed = COALESCE(emptied, %s) WHERE subject = ANY(%s)"  # noqa: S608

# One at a time numbers. The lock is no row's: it writes nothing where nothing is pending. It is
# taken by a statement of its own, so that the next one sees all that was committed before.
_LOCK = f"SELECT pg_advisory_xact_lock('{_LOG}'::regclass::oid::int, 0)"

# `forgotten` are former events that got their numbers since their forgetting transaction looked;
# a row that somebody has locked is being forgotten, or pruned, by them.
_NUMBER = f"""
WITH taken AS (
    DELETE FROM {_PENDING} WHERE id = ANY (ARRAY(
        SELECT id FROM {_PENDING} ORDER BY urgent DESC, id LIMIT {MOST_AT_ONCE}))
        AND EXISTS (SELECT 1 FROM {_LOG})
    RETURNING *
), placed AS (
    SELECT *, row_number() OVER (ORDER BY urgent DESC, id) AS place,
        bool_or(forgets) OVER (PARTITION BY subject ORDER BY urgent DESC, id
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS is_forgotten
    FROM taken
), counted AS (
    UPDATE {_LOG} SET last = last + added FROM (SELECT count(*) AS added FROM taken) AS counts
    WHERE added > 0 RETURNING epoch, last - added AS before
), forgotten AS (
    UPDATE {_EVENTS} SET packed = COALESCE(emptied, %(nothing)s) WHERE number IN (
        SELECT number FROM {_EVENTS}
        WHERE subject IN (SELECT subject FROM taken WHERE forgets)
            AND packed <> COALESCE(emptied, %(nothing)s)
        FOR UPDATE SKIP LOCKED)
), logged AS (
    INSERT INTO {_EVENTS} (number, packed, written_at, subject, emptied)
    SELECT before + place, CASE WHEN is_forgotten THEN emptied ELSE packed END,
        written_at, subject, emptied
    FROM placed, counted RETURNING number, packed
)
SELECT epoch, number, {{shown}} FROM logged, counted ORDER BY number
"""  # noqa: S608
_STATEMENTS = {
    shown: f"{_LOCK};{_NUMBER.format(shown=shown)}".replace("%(nothing)s", nothing)
    for nothing in [f"'\\x{records.NOTHING.hex()}'::bytea"]
    for shown in ("packed", "NULL")
}


def append(entries: Sequence[Entry]) -> None:
    """Note records as pending, and take the payloads of those that they make forgotten away."""
    now = timezone.now()
    rows = [(e.packed, now, e.subject, e.emptied, e.forgets, e.urgent) for e in entries]
    forgotten = [entry.subject for entry in entries if entry.forgets]
    with connections[counter.database()].cursor() as cursor:
        if len(rows) == 1:
            cursor.execute(_INSERT, rows[0])
        else:
            cursor.executemany(_INSERT, rows)
        if forgotten:
            cursor.execute(_FORGET, [records.NOTHING, forgotten])


def number() -> Numbered | None:
    """Give numbers to records that are pending, and committed; see live.log.numbering."""
    rows = _numbered()
    if not rows and counter.look()[1]:  # the counter's row was missing
        rows = _numbered()
    if not rows:
        return None
    epoch, last, _ = rows[-1]
    packed = [bytes(record) for _, _, record in rows if record is not None]
    return Numbered(Cursor(epoch, last), packed, len(rows) == MOST_AT_ONCE)


def _numbered() -> list[tuple[int, int, Any]]:
    # "doorbell" tells nobody what is in the records.
    statement = _STATEMENTS["NULL" if conf.BROADCAST == "doorbell" else "packed"]
    with connections[counter.database()].cursor() as cursor:
        # Without parameters, by which one message may hold two statements: they are one
        # transaction, and each sees what was committed before it began.
        cursor.execute(statement)
        cursor.nextset()
        rows: list[tuple[int, int, Any]] = cursor.fetchall()
    return rows
