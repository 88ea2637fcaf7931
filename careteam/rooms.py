"""Rooms by name, and who may use which."""

from typing import Any, NamedTuple

from careteam.conf import closed_rooms_hook, conf
from careteam.models import LONGEST_ROOM_NAME, Room
from careteam.text import BadText, room_key, tidy_name
from live.errors import BadInput, Forbidden, Unauthenticated
from live.identity.rights_cache import cached_rights


class RoomName(NamedTuple):
    """A room's name as somebody wrote it, and the key that all its spellings have."""

    name: str
    key: str


def room_named(chatroom: str) -> RoomName:
    """Return what an argument `chatroom` names; raise BadInput where it can be no room's name."""
    try:
        name = tidy_name(chatroom, min(conf.MAX_ROOM_NAME_LENGTH, LONGEST_ROOM_NAME))
    except BadText as error:
        raise BadInput(f"chatroom {error}") from None
    return RoomName(name, room_key(name))


class RoomRights(NamedTuple):
    """Which rooms somebody may use, by key. Rooms in `public` are everybody's.

    Of all others those in `closed` are not theirs; None is all of them, for nobody in
    particular.
    """

    public: frozenset[str]
    closed: frozenset[str] | None

    def may_use(self, key: str) -> bool:
        """Whether the room with this key may be read and written."""
        return key in self.public or (self.closed is not None and key not in self.closed)

    def require(self, key: str) -> None:
        """Raise Unauthenticated or Forbidden where the room may not be used."""
        if not self.may_use(key):
            raise Unauthenticated() if self.closed is None else Forbidden()

    def require_any(self) -> None:
        """Raise Unauthenticated where there is no room at all for the client."""
        if self.closed is None and not self.public:
            raise Unauthenticated()


def room_rights(user: Any) -> RoomRights:
    """Return what `user`, a Django user, may use. Sync; anonymous ones cost no query."""
    if not user.is_authenticated:
        return RoomRights(_public(), None)
    closed = {room_key(name) for name in closed_rooms_hook()(user)}
    if not user.is_superuser:
        closed |= set(Room.objects.filter(closed=True).values_list("key", flat=True))
    return RoomRights(_public(), frozenset(closed))


async def cached_room_rights(user: Any) -> RoomRights:
    """Return what `user` may use, looked up lately or now."""
    if not user.is_authenticated:
        return room_rights(user)
    return await cached_rights(user, room_rights)


def _public() -> frozenset[str]:
    return frozenset(room_key(name) for name in conf.ANONYMOUS_ROOMS)
