"""One broadcast, as a process holds it while it tells its subscriptions."""

from dataclasses import dataclass
from typing import Any

from live.log import cursor
from live.log.payload import unpack
from live.log.records import Kind, Record

_UNREAD = object()


@dataclass(eq=False, slots=True)
class Event:
    """An event, or the place of another record, which concerns no subscription.

    `number` orders events: in the log of `epoch`, or, without one, in this process. With
    `ends` it is the end of the subscriptions in its groups, which has its place among them.
    The socket whose channel name is `excluded` is not told.
    """

    number: int
    groups: frozenset[str]
    packed: bytes = b""
    epoch: int | None = None
    ends: bool = False
    excluded: str | None = None
    _payload: Any = _UNREAD
    _cursor: str | None = None

    @classmethod
    def logged(cls, epoch: int | None, number: int, record: Record) -> "Event":
        """Return the event at `number`; of a record that is none, one that nobody hears."""
        match record.kind:
            case Kind.EVENT:
                groups = frozenset(record.groups)
                return cls(number, groups, record.body, epoch, excluded=record.excluded)
            case Kind.UNSUBSCRIBE:
                return cls(number, frozenset(record.groups), epoch=epoch, ends=True)
        return cls(number, frozenset(), epoch=epoch)

    @property
    def payload(self) -> Any:
        """The payload, unpacked at the first look; raises PayloadError."""
        if self._payload is _UNREAD:
            self._payload = unpack(self.packed)
        return self._payload

    @property
    def cursor(self) -> str | None:
        """The place after this event, as clients get it; None past the log."""
        if self._cursor is None and self.epoch is not None:
            self._cursor = cursor.encode(cursor.Cursor(self.epoch, self.number))
        return self._cursor
