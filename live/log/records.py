"""What the event log and the channel layer carry: records as bytes. Pure.

Whatever a hub has to know in the order of the commits is a record: the events, and beside
them the ends of subscriptions and the changes of rights. An event that was committed after a
right was taken away is therefore taken by every hub after it knows of that.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

import msgpack


class Kind(IntEnum):
    """What a record says; the numbers are stored, so never reuse one."""

    NONE = 0
    EVENT = 1
    UNSUBSCRIBE = 2
    RIGHTS = 3
    KICK = 4


# Among a record's groups, behind those of subscriptions: what it is about, and that the former
# events about that are forgotten. Nobody joins groups of these names, so that releases that do not
# know of them read the record all the same.
_ABOUT = "about "
_FORGETS = "forgets"


class Record(NamedTuple):
    """One record.

    `groups` are those whose subscriptions it is for; `body` is an event's packed payload
    (see live.log.payload), or the keys of the users whom it is about, None being everybody. The
    socket whose channel name is `excluded` is not told of the event.
    """

    kind: Kind
    groups: tuple[str, ...] = ()
    body: Any = None
    excluded: str | None = None

    @property
    def forgets(self) -> bool:
        """Whether the payloads of the former events about its subject are to go."""
        return bool(self.groups) and self.groups[-1] == _FORGETS

    @property
    def subject(self) -> str | None:
        """What the event is about, such as "patient:17"; None where nobody said."""
        last = self.groups[-2:-1] if self.forgets else self.groups[-1:]
        return last[0][len(_ABOUT) :] if last and last[0].startswith(_ABOUT) else None


def pack(record: Record) -> bytes:
    """Return `record` as bytes."""
    # Without a fourth item where there is no need: releases before it read three.
    items = [int(record.kind), *record[1:]]
    packed: bytes = msgpack.packb(items if record.excluded is not None else items[:3])
    return packed


def unpack(packed: bytes) -> Record:
    """Return the record; raise ValueError for bytes that are none, or of a later release."""
    try:
        kind, groups, body, *excluded = msgpack.unpackb(packed, use_list=False)
        return _checked(Record(Kind(kind), groups, body, *excluded))
    except Exception as error:
        # Its cause may quote the payload.
        raise ValueError(f"The record is damaged ({type(error).__name__})") from None


def _checked(record: Record) -> Record:
    if not (record.excluded is None or isinstance(record.excluded, str)):
        raise ValueError("excluded is no channel name")
    return record


def event(
    groups: Iterable[str],
    payload: bytes,
    excluded: str | None = None,
    *,
    about: str | None = None,
    forgets: bool = False,
) -> Record:
    """Return the record of a broadcast."""
    marks = [] if about is None else [_ABOUT + about, _FORGETS][: 1 + forgets]
    return Record(Kind.EVENT, (*groups, *marks), payload, excluded)


# A record that says nothing, in the place of one that is forgotten and of which nothing is known.
NOTHING = pack(Record(Kind.NONE))


def unsubscribe(groups: Iterable[str]) -> Record:
    """Return the record that ends the subscriptions in `groups`."""
    return Record(Kind.UNSUBSCRIBE, tuple(groups))


def rights(user_ids: Iterable[int] | None) -> Record:
    """Return the record of a change of these users' rights; None is everybody's."""
    return Record(Kind.RIGHTS, (), None if user_ids is None else tuple(user_ids))


def kick(user_ids: Iterable[int]) -> Record:
    """Return the record that ends these users' sockets."""
    return Record(Kind.KICK, (), tuple(user_ids))
