"""The log's counter: its one row, which says how far the log is, and whose cursors are its own."""

import secrets

from django.db import connections, router

from live.log.cursor import Cursor
from live.models import Log, LoggedEvent, PendingEvent

# By hand: each `position` and each look at the log asks it.
_END = f"SELECT epoch, last FROM {Log._meta.db_table}"  # noqa: S608


def database() -> str:
    """Return the alias of the log's database."""
    return router.db_for_write(LoggedEvent)


def end() -> Cursor:
    """Return the place after the last record that has a number."""
    with connections[database()].cursor() as cursor:
        cursor.execute(_END)
        row = cursor.fetchone()
        if row is None:
            create()
            cursor.execute(_END)
            row = cursor.fetchone()
    return Cursor(*row)


def is_pending() -> bool:
    """Return whether records that were committed wait for their numbers."""
    return PendingEvent.objects.using(database()).exists()


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
