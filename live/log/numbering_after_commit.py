"""Numbers that are given after the writer's commit, so that no writer waits for another.

A record is one row of a table of what is pending, whose identity gives its id. Whoever numbers
moves the rows that are committed into the log, in the order of their ids, by a function in the
database: a process that is stopped while it waits for the answer holds no lock.

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
from live.models import LoggedEvent, PendingEvent

# Records that get their numbers by one statement: it takes some milliseconds.
MOST_AT_ONCE = 500
# The function in the database that gives them.
FUNCTION = "live_number_pending"

_INSERT = (
    f"INSERT INTO {PendingEvent._meta.db_table}"  # noqa: S608
    " (packed, written_at, subject, emptied, forgets, urgent) VALUES (%s, %s, %s, %s, %s, %s)"
)
# Of what is numbered. What is pending, its number will forget: to lock a row of it here would
# have everybody wait for this transaction.
_FORGET = (
    f"UPDATE {LoggedEvent._meta.db_table}"  # noqa: S608
    " SET packed = COALESCE(emptied, %s) WHERE subject = ANY(%s)"
)

# What it does is in live.migrations.0005_number_pending. For "doorbell", which tells nobody what is
# in the records, they stay where they are.
_NUMBER, _NUMBER_UNSEEN = (
    f"SELECT epoch, number, {shown} FROM {FUNCTION}({MOST_AT_ONCE})".encode()  # noqa: S608
    for shown in ("packed", "NULL::bytea")
)
# libpq's format of values that are bytes, not text.
_BINARY = 1


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
    result = _executed(_NUMBER_UNSEEN if conf.BROADCAST == "doorbell" else _NUMBER)
    count = result.ntuples
    if not count:
        return None
    epoch, last = (_number(result.get_value(count - 1, column)) for column in (0, 1))
    values = (result.get_value(row, 2) for row in range(count))
    packed = [value for value in values if value is not None]
    return Numbered(Cursor(epoch, last), packed, count == MOST_AT_ONCE)


def _number(value: Any) -> int:
    return int.from_bytes(value, signed=True)


def _executed(statement: bytes) -> Any:
    """Execute by libpq itself: each commit pays for it, and Django's cursor costs much more."""
    from psycopg.errors import OperationalError, error_from_result
    from psycopg.pq import ConnStatus, ExecStatus

    connection = connections[counter.database()]
    connection.ensure_connection()
    with connection.wrap_database_errors:
        result = connection.connection.pgconn.exec_params(statement, None, result_format=_BINARY)
        if connection.connection.pgconn.status != ConnStatus.OK:
            raise OperationalError("the connection is lost")
        if result.status != ExecStatus.TUPLES_OK:
            raise error_from_result(result)
    return result
