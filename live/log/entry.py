"""A record on its way to the log, and those that have arrived. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from live.log import records
from live.log.cursor import Cursor
from live.log.records import Kind, Record


class Entry(NamedTuple):
    """A record on its way to the log.

    `subject` is what it is about; `emptied` is what is kept of it when it is forgotten. With
    `forgets`, the former events about its subject are. One that is `urgent` gets its number before
    the others that wait for theirs: after the commit of a loss of rights no event comes before it.
    """

    packed: bytes
    subject: str | None = None
    emptied: bytes | None = None
    forgets: bool = False
    urgent: bool = False

    @classmethod
    def of(cls, record: Record) -> "Entry":
        """Return the entry of `record`."""
        subject = record.subject
        return cls(
            records.pack(record),
            subject,
            None if subject is None else records.pack(record._replace(body=b"")),
            record.forgets,
            record.kind in (Kind.RIGHTS, Kind.KICK),
        )


class Numbered(NamedTuple):
    """Records that have got their numbers: the last ones up to `end`.

    With `is_part`, more may be waiting for theirs.
    """

    end: Cursor
    records: Sequence[bytes]
    is_part: bool = False
