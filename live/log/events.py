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
    subject: str | None = None
    # What the subscription's class knows now about the subject, where the event is replayed, and
    # at which time of its source that was looked up.
    recalled: Any = None
    recalled_at: Any = None
    _payload: Any = _UNREAD
    _cursor: str | None = None

    @classmethod
    def logged(cls, epoch: int | None, number: int, record: Record) -> "Event":
        """Return the event at `number`; of a record that is none, one that nobody hears."""
        match record.kind:
            case Kind.EVENT:
                groups = frozenset(record.groups)
                excluded, subject = record.excluded, record.subject
                return cls(number, groups, record.body, epoch, False, excluded, subject)
            case Kind.UNSUBSCRIBE:
                return cls(number, frozenset(record.groups), epoch=epoch, ends=True)
        return cls(number, frozenset(), epoch=epoch)

    @property
    def is_forgotten(self) -> bool:
        """Whether its payload was taken away: its subject is gone, or has moved."""
        return self.subject is not None and not self.packed

    def without_payload(self) -> "Event":
        """Return the event as it is once its payload was taken away."""
        place = self.number, self.groups, b"", self.epoch
        return Event(*place, excluded=self.excluded, subject=self.subject)

    @property
    def payload(self) -> Any:
        """The payload, unpacked at the first look, None if it is forgotten; raises PayloadError."""
        if self._payload is _UNREAD:
            self._payload = None if self.is_forgotten else unpack(self.packed)
        return self._payload

    @property
    def cursor(self) -> str | None:
        """The place after this event, as clients get it; None past the log."""
        if self._cursor is None and self.epoch is not None:
            self._cursor = cursor.encode(cursor.Cursor(self.epoch, self.number))
        return self._cursor
