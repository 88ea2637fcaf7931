"""What was committed, by the event log, by the patients' table and by the writers. Pure.

The log says what clients should get, so it is itself compared with the table, which has every
patient that was committed, and no other.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

# After the time that the database notes for a commit, others see it: a little later.
VISIBLE_SECONDS = 0.05


class Entry(NamedTuple):
    """One record of the log."""

    number: int
    ordinal: int | None
    """The patient's; None where the record is of something else."""
    category: str | None = None


class Row(NamedTuple):
    """One patient in the table."""

    ordinal: int
    category: str
    committed_at: float | None = None
    """By the database's own clock, in seconds; None where it keeps no such time."""
    begun_at: float = 0.0
    """When its writer began with it, by the same machine's clock."""


def expected_by(entries: Iterable[Entry], category: str | None) -> list[int]:
    """Return the events of a client that watches `category` (None: all), in commit order."""
    return [
        entry.ordinal
        for entry in entries
        if entry.ordinal is not None and category in (None, entry.category)
    ]


def errors_in(entries: Sequence[Entry], rows: Sequence[Row], told: Collection[int]) -> list[str]:
    """Return what is wrong with the log, in words; nothing where it tells what was committed.

    Args:
        entries: the log's records after some place, in the order of their numbers.
        rows: the patients committed after the same place.
        told: the patients of whom writers know that they are committed.
    """
    return [
        *_wrong_numbers([entry.number for entry in entries]),
        *_wrong_events(entries, rows),
        *_wrong_order(entries, rows),
        *(
            f"{ordinal} was told to be committed, and is not in the table"
            for ordinal in sorted(set(told) - {row.ordinal for row in rows})
        ),
    ]


def _wrong_numbers(numbers: Sequence[int]) -> list[str]:
    steps = pairwise(numbers)
    return [f"number {after} follows {before}" for before, after in steps if after != before + 1]


def _wrong_events(entries: Sequence[Entry], rows: Sequence[Row]) -> list[str]:
    logged = Counter((e.ordinal, e.category) for e in entries if e.ordinal is not None)
    committed = {(row.ordinal, row.category) for row in rows}
    return [
        *(f"{what} is logged {count} times" for what, count in logged.items() if count > 1),
        *(f"{what} is logged, and not committed" for what in sorted(logged.keys() - committed)),
        *(f"{what} is committed, and not logged" for what in sorted(committed - logged.keys())),
    ]


def _wrong_order(entries: Sequence[Entry], rows: Sequence[Row]) -> list[str]:
    """Return which events are logged before one that had been committed when they were begun.

    Those that were under way at the same time come in either order.
    """
    timed = {row.ordinal: row for row in rows if row.committed_at is not None}
    logged = [timed[e.ordinal] for e in entries if e.ordinal in timed]
    wrong, earliest = [], None
    for row in reversed(logged):
        if earliest and earliest.committed_at + VISIBLE_SECONDS < row.begun_at:
            wrong.append(f"{earliest.ordinal} was committed before {row.ordinal} was begun")
        if earliest is None or row.committed_at < earliest.committed_at:
            earliest = row
    return wrong
