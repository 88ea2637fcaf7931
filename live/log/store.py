"""The event log: read after a place, position, prune. Sync: it uses the database.

Records are numbered in the order of the commits, without holes: a reader who has had number N
misses nothing by asking for what comes after N.
"""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Subquery
from django.utils import timezone

from live.log.counter import database, end
from live.log.cursor import Cursor, encode
from live.log.pending import settled_end
from live.models import Log, LoggedEvent

# Rows deleted in one transaction: some milliseconds, for which a reader of SQLite's waits.
PRUNED_AT_ONCE = 1000


class Extent(NamedTuple):
    """What the log holds: the records `first` … `last`; nothing where `first` is `last` + 1."""

    epoch: int
    first: int
    last: int

    def reaches(self, cursor: Cursor) -> bool:
        """Whether everything that came after `cursor` is still there."""
        return cursor.epoch == self.epoch and self.first - 1 <= cursor.number <= self.last


def position() -> str:
    """Return the log's end as clients get it: what was committed before is before it."""
    return encode(settled_end())


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
