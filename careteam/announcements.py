"""From a change in the database to the broadcasts that tell of it, once it is committed."""

from careteam.models import ChatMessage, Notice
from careteam.schema.subscriptions import (
    ALL_ROOMS,
    OnNewChatMessage,
    OnNoticePublished,
    OnPresence,
    room_group,
    subject_of,
)


def announce_message(message: ChatMessage) -> None:
    """Tell the subscribers of OnNewChatMessage."""
    room = message.room
    OnNewChatMessage.broadcast(
        group=[room_group(room.key), ALL_ROOMS],
        # With the room beside it no subscriber has to read it from the database.
        payload={"message": message, "room": room},
        exclude_channel=message.channel_name,
        about=subject_of(message.pk),
    )


def announce_published(notice: Notice) -> None:
    """Tell the subscribers of OnNoticePublished."""
    OnNoticePublished.broadcast(payload={"notice": notice})


def announce_presence(*, change: str, room: str, name: str) -> None:
    """Tell the subscribers of OnPresence in the room with this key: `name` joined or left."""
    payload = {"change": change, "room": room, "name": name}
    OnPresence.broadcast(group=room_group(room), payload=payload)
