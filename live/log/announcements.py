"""What processes tell each other by the channel layer, in its one group."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from live.conf import conf
from live.log import records
from live.log.cursor import Cursor
from live.log.records import Record


class LogGrew(TypedDict):
    """The log has grown up to number `last`; `records` are the last of it, or none (a doorbell)."""

    type: Literal["live.log"]
    epoch: int
    last: int
    records: list[bytes]


class Passing(TypedDict):
    """A record that passes the log."""

    type: Literal["live.passing"]
    record: bytes


Announcement = LogGrew | Passing


def log_grew(end: Cursor, part: Sequence[bytes]) -> LogGrew:
    """Return the message for the records up to `end`, of which `part` are the last."""
    shown = [] if conf.BROADCAST == "doorbell" else list(part)
    return {"type": "live.log", "epoch": end.epoch, "last": end.number, "records": shown}


def passing(record: Record) -> Passing:
    """Return the message for a record that passes the log."""
    return {"type": "live.passing", "record": records.pack(record)}
