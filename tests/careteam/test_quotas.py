"""How much one user may write: bounds that hold for all processes together."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async

from careteam.models import ChatMessage, Room
from careteam.services import message_send
from live.errors import RateLimited
from live.log import store
from live.log.cursor import Cursor, encode
from tests.careteam.sockets import SocketOf

pytestmark = pytest.mark.django_db(transaction=True)


def write(user, *rooms):
    for room in rooms:
        message_send(user=user, chatroom=room, text="text")


def age(**how):
    """Make all messages older."""
    for message in ChatMessage.objects.all():
        sent = message.sent_at - timedelta(**how)
        ChatMessage.objects.filter(pk=message.pk).update(sent_at=sent)


def test_messages_of_a_user_in_a_minute(settings, visitor, nurse):
    settings.CARETEAM = {**settings.CARETEAM, "MESSAGES_PER_MINUTE": 3}
    write(visitor, *["coffee"] * 3)
    with pytest.raises(RateLimited):
        write(visitor, "coffee")
    write(nurse, "coffee")
    assert ChatMessage.objects.count() == 4
    age(minutes=1)
    write(visitor, "coffee")


def test_rooms_that_a_user_makes_in_a_day(settings, visitor, nurse):
    settings.CARETEAM = {**settings.CARETEAM, "ROOMS_PER_DAY": 2}
    write(visitor, "one", "two")
    with pytest.raises(RateLimited):
        write(visitor, "three")
    assert not Room.objects.filter(name="three").exists()
    write(nurse, "three")
    write(visitor, "three", "one")
    age(days=1)
    write(visitor, "four")


async def test_a_deleted_message_is_not_replayed(visitor, nurse):
    def prepare():
        write(visitor, "coffee")
        message_send(user=visitor, chatroom="coffee", text="harm")
        message_send(user=visitor, chatroom="coffee", text="by hand")
        ChatMessage.objects.get(text="harm").delete()
        ChatMessage.objects.filter(text="by hand")._raw_delete("default")
        write(visitor, "coffee")
        return encode(Cursor(store.end().epoch, 0))

    after = await sync_to_async(prepare)()
    query = "subscription ($a: String) { onNewChatMessage(after: $a) { text } }"
    async with SocketOf(nurse) as wire:
        assert await wire.subscribe(query, a=after) == []
        told = [(await wire.event())["onNewChatMessage"]["text"] for _ in range(2)]
        assert told == ["text", "text"]
        assert "harm" not in "".join(wire.frames)
