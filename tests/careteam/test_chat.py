"""onNewChatMessage: who is told of a message, and who is not."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User

from careteam.models import Room
from careteam.services import message_send
from patients.models import DiseaseCategory
from tests.careteam.sockets import SocketOf
from tests.conftest import make_user
from tests.live.wire import Ended, codes
from tests.patients.asking import data

pytestmark = pytest.mark.django_db(transaction=True)

ROOM = "subscription ($room: String) { onNewChatMessage(chatroom: $room) { sender text } }"
EVERYWHERE = "subscription { onNewChatMessage { chatroom text } }"
FULL = "subscription { onNewChatMessage { id chatroom sender text sentAt } }"
SEND = """mutation ($room: String!, $text: String!) {
  sendChatMessage(chatroom: $room, text: $text) { ok }
}"""
LOGIN = 'mutation { login(username: "visitor", password: "visitor") { ok } }'
HISTORY = '{ history(chatroom: "coffee") { id sentAt } }'
OK = {"data": {"sendChatMessage": {"ok": True}}}


@pytest.fixture
def outsider(db):
    """May view patients, but none of a restricted category."""
    return make_user("outsider", "view_patient")


@pytest.fixture
def insiders(categories):
    """The only group that sees category II."""
    group = Group.objects.create(name="insiders")
    categories["II"].viewers.add(group)
    return group


@pytest.fixture
def insider(insiders):
    user = make_user("insider", "view_patient")
    user.groups.add(insiders)
    return user


send = sync_to_async(message_send)


async def text(wire):
    """Return the next message's text."""
    return (await wire.event())["onNewChatMessage"]["text"]


# ---- who is told


async def test_everybody_in_the_room_is_told_in_order(visitor, nurse):
    async with SocketOf(visitor) as one, SocketOf(nurse) as other:
        for wire in (one, other):
            assert await wire.subscribe(ROOM, room="coffee") == []
        for number in range(20):
            await send(user=visitor, chatroom="coffee", text=str(number))
        for wire in (one, other):
            assert [await text(wire) for _ in range(20)] == [str(n) for n in range(20)]


async def test_what_a_message_tells(visitor, nurse):
    async with SocketOf(nurse) as wire:
        assert await wire.subscribe(FULL) == []
        await send(user=visitor, chatroom=" Coffee ", text="Hi")
        told = (await wire.event())["onNewChatMessage"]
    stored = (await sync_to_async(data)(nurse, HISTORY))["history"][0]
    assert told == {"chatroom": "Coffee", "sender": "visitor", "text": "Hi", **stored}


async def test_another_room_is_not_told(visitor):
    async with SocketOf(visitor) as wire:
        assert await wire.subscribe(ROOM, room="coffee") == []
        await send(user=visitor, chatroom="tea", text="tea")
        await send(user=visitor, chatroom="COFFEE", text="coffee")
        assert await text(wire) == "coffee"


@pytest.mark.parametrize("room", ["coffee", None])
async def test_the_socket_that_sent_it_is_not_told(visitor, room):
    """It knows; the sender's other sockets do not."""
    async with SocketOf(visitor) as sending, SocketOf(visitor) as other:
        for wire in (sending, other):
            assert await wire.subscribe(ROOM, "watch", room=room) == []
        assert await sending.ask(SEND, "send", room="coffee", text="one's") == OK
        assert await text(other) == "one's"
        assert await other.ask(SEND, "send", room="coffee", text="the other's") == OK
        await send(user=visitor, chatroom="coffee", text="last")
        assert [await text(sending) for _ in range(2)] == ["the other's", "last"]
        assert await text(other) == "last"


async def test_a_socket_of_nobody_is_not_told_of_its_own(db):
    async with SocketOf(None) as sending, SocketOf(None) as other:
        for wire in (sending, other):
            assert await wire.subscribe(ROOM, "watch", room="kittens") == []
        assert await sending.ask(SEND, "send", room="kittens", text="one's") == OK
        assert await text(other) == "one's"
        assert await other.ask(SEND, "send", room="kittens", text="the other's") == OK
        assert await text(sending) == "the other's"


async def test_a_message_over_http_is_told_to_all_of_its_sender(visitor):
    async with SocketOf(visitor) as wire:
        assert await wire.subscribe(ROOM, room="coffee") == []
        await sync_to_async(data)(visitor, SEND, room="coffee", text="by HTTP")
        assert await wire.event() == {"onNewChatMessage": {"sender": "visitor", "text": "by HTTP"}}


async def test_a_message_written_in_a_shell_is_told(visitor):
    async with SocketOf(visitor) as wire:
        assert await wire.subscribe(ROOM, room="coffee") == []
        room = await Room.objects.acreate(name="coffee")
        await sync_to_async(room.messages.create)(sender="night watch", text="Hi")
        assert await text(wire) == "Hi"


# ---- who may


@pytest.mark.parametrize(
    ("who", "room", "refused"),
    [
        (None, "coffee", ["UNAUTHENTICATED"]),
        (None, "kittens", []),
        (None, None, []),
        ("visitor", "coffee", []),
        ("visitor", "I", ["FORBIDDEN"]),
        ("visitor", None, []),
        ("outsider", "I", []),
        ("outsider", "ii", ["FORBIDDEN"]),
        ("insider", "II", []),
        ("insider", "\n", ["BAD_INPUT"]),
    ],
)
async def test_who_may_subscribe(request, visitor, insider, outsider, who, room, refused):
    user = {"visitor": visitor, "insider": insider, "outsider": outsider, None: None}[who]
    async with SocketOf(user) as wire:
        assert await wire.subscribe(ROOM, room=room) == refused


async def test_without_rooms_for_everybody_nobody_in_particular_has_any(settings):
    settings.CARETEAM = {}
    async with SocketOf(None) as wire:
        assert await wire.subscribe(EVERYWHERE) == ["UNAUTHENTICATED"]


async def test_all_rooms_are_those_that_one_may_read(visitor, insider, outsider):
    told = {None: ["kittens"], "visitor": ["coffee", "kittens"]}
    told["outsider"] = ["I", *told["visitor"]]
    told["insider"] = ["II", *told["outsider"]]
    users = {None: None, "visitor": visitor, "outsider": outsider, "insider": insider}
    for who, rooms in told.items():
        async with SocketOf(users[who]) as wire:
            assert await wire.subscribe(EVERYWHERE) == []
            for room in ("II", "I", "coffee", "kittens"):
                await send(user=insider, chatroom=room, text="Hi")
            for room in rooms:
                assert (await wire.event())["onNewChatMessage"]["chatroom"] == room


# ---- rights that change while one is subscribed


def leave_the_group():
    User.objects.get(username="insider").groups.clear()


def rename_the_category():
    category = DiseaseCategory.objects.get(code="II")
    category.code = "C00"
    category.save()


def close_the_room():
    room = Room.objects.get(key="ii")
    room.closed = True
    room.save()


@pytest.mark.parametrize("take_away", [leave_the_group, rename_the_category, close_the_room])
async def test_a_right_that_is_taken_away_ends_the_subscription(insider, take_away):
    def take_away_and_write():
        take_away()
        root = make_user("root", is_superuser=True)
        for room in ("II", "coffee"):
            message_send(user=root, chatroom=room, text="after")

    await send(user=insider, chatroom="II", text="before")
    async with SocketOf(insider) as wire:
        assert await wire.subscribe(ROOM, "room", room="II") == []
        assert await wire.subscribe(EVERYWHERE, "all") == []
        await sync_to_async(take_away_and_write)()
        messages = [await wire.receive() for _ in range(2)]
    seen = {message["id"]: message for message in messages}
    assert codes({"errors": wire.errors_in(seen["room"])}) == ["FORBIDDEN"]
    event = seen["all"]["payload"]["data"]["onNewChatMessage"]
    assert event == {"chatroom": "coffee", "text": "after"}


async def test_who_lost_the_only_room_loses_the_socket(insider):
    async with SocketOf(insider) as wire:
        assert await wire.subscribe(ROOM, room="II") == []
        await sync_to_async(insider.groups.clear)()
        refused = await wire.receive()
        assert codes({"errors": wire.errors_in(refused)}) == ["FORBIDDEN"]
        with pytest.raises(Ended) as ended:
            await wire.receive()
        assert ended.value.code == 4403


async def test_a_room_that_opens_is_told_from_then_on(insiders, insider, outsider):
    def open_up():
        message_send(user=insider, chatroom="II", text="before")
        insiders.visible_disease_categories.clear()
        message_send(user=insider, chatroom="II", text="after")

    async with SocketOf(outsider) as wire:
        assert await wire.subscribe(EVERYWHERE) == []
        await sync_to_async(open_up)()
        assert await text(wire) == "after"


async def test_who_logs_in_has_their_rooms_on_the_same_subscription(visitor):
    async with SocketOf(None) as wire:
        assert await wire.subscribe(EVERYWHERE, "all") == []
        assert (await wire.ask(LOGIN, "login"))["data"]["login"] == {"ok": True}
        await send(user=visitor, chatroom="coffee", text="Hi")
        assert await text(wire) == "Hi"
