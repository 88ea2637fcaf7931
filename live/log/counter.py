"""The log's counter: its one row, which says how far the log is, and whose cursors are its own."""

import secrets

from django.db import connections, router

from live.log.cursor import Cursor
from live.models import Log, LoggedEvent, PendingEvent

# By hand: each `position` and each look at the log asks it. One statement, since between two of
# them what was pending may get its number.
_LOOK = (
    f'SELECT epoch, last, EXISTS (SELECT 1 FROM "{PendingEvent._meta.db_table}")'  # noqa: S608
    f' FROM "{Log._meta.db_table}"'
)


def database() -> str:
    """Return the alias of the log's database."""
    return router.db_for_write(LoggedEvent)


def end() -> Cursor:
    """Return the place after the last record that has a number."""
    return look()[0]


def look() -> tuple[Cursor, bool]:
    """Return the place after the last record, and whether others wait for their numbers."""
    using = database()
    with connections[using].cursor() as cursor:
        cursor.execute(_LOOK)
        row = cursor.fetchone()
        if row is None:
            create()
            cursor.execute(_LOOK)
            row = cursor.fetchone()
    epoch, last, is_pending = row
    return Cursor(epoch, last), bool(is_pending)


def create() -> None:
    """Make the row, unless somebody else does."""
    # Two may find no row at once: one of them inserts it, and the other waits for that.
    row = Log(pk=Log.ONLY, epoch=_new_epoch())
    Log.objects.using(database()).bulk_create([row], ignore_conflicts=True)


def start_new_epoch() -> None:
    """Make every cursor given so far one of another log: after a restored backup."""
    if not Log.objects.using(database()).update(epoch=_new_epoch()):
        create()


def _new_epoch() -> int:
    return secrets.randbits(62)
