"""onPresence over sockets: who is told of whom, and the heartbeat that keeps it true."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db.models.functions import Now

from careteam.lease import current_lease
from careteam.models import Presence, PresenceLease
from tests.careteam.sockets import SocketOf
from tests.live.wire import codes
from tests.patients.asking import ask, data

pytestmark = pytest.mark.django_db(transaction=True)

ON_PRESENCE = """subscription ($room: String!) {
  onPresence(chatroom: $room) { change participant present }
}"""
PRESENCE = "query ($room: String!) { presence(chatroom: $room) }"
LOGIN = 'mutation { login(username: "visitor", password: "visitor") { ok } }'
SECONDS = 20


async def told(wire, name):
    """Return the next change of `name`, as (change, who is present then)."""
    while True:
        event = (await wire.event())["onPresence"]
        if event["participant"] == name:
            return event["change"], event["present"]


async def present(user, room="coffee"):
    return (await sync_to_async(data)(user, PRESENCE, room=room))["presence"]


async def join(wire, room="coffee", op_id="1"):
    """Subscribe, whatever is told before the confirmation."""
    await wire.start(ON_PRESENCE, op_id, room=room)
    while True:
        message = await wire.receive()
        if message["id"] == op_id and message["payload"]["data"] is None:
            return


async def until(condition):
    """Wait until what the database holds makes `condition` true."""
    async with asyncio.timeout(SECONDS):
        while not await sync_to_async(condition)():  # noqa: ASYNC110  a database has no event
            await asyncio.sleep(0.02)


async def test_who_comes_and_goes_is_told(visitor, nurse):
    async with SocketOf(visitor) as watching:
        await join(watching)
        assert await present(nurse) == ["visitor"]
        async with SocketOf(nurse) as wire:
            await join(wire, room=" COFFEE ")
            assert await told(watching, "nurse") == ("JOINED", ["nurse", "visitor"])
            assert await present(nurse) == ["nurse", "visitor"]
            await wire.send(type="complete", id="1")
            assert await told(watching, "nurse") == ("LEFT", ["visitor"])
            await join(wire)
            assert await told(watching, "nurse") == ("JOINED", ["nurse", "visitor"])
        # The socket is gone, without a word to the protocol.
        assert await told(watching, "nurse") == ("LEFT", ["visitor"])


async def test_a_user_with_two_sockets_joins_and_leaves_once(visitor, nurse):
    async with SocketOf(visitor) as watching:
        await join(watching)
        async with SocketOf(nurse) as first:
            await join(first)
            async with SocketOf(nurse) as second:
                await join(second)
                await join(second, op_id="again")
                assert await present(visitor) == ["nurse", "visitor"]
            await until(lambda: Presence.objects.count() == 2)
        assert await told(watching, "nurse") == ("JOINED", ["nurse", "visitor"])
        assert await told(watching, "nurse") == ("LEFT", ["visitor"])


async def test_another_room_is_not_told(visitor, nurse):
    async with SocketOf(visitor) as watching, SocketOf(nurse) as wire:
        await join(watching)
        await join(wire, room="tea", op_id="tea")
        await join(wire)
        event = await told(watching, "nurse")
        assert event == ("JOINED", ["nurse", "visitor"])
        await wire.send(type="complete", id="tea")
        await wire.send(type="complete", id="1")
        assert await told(watching, "nurse") == ("LEFT", ["visitor"])


async def test_who_may_be_present(visitor, nurse):
    async with SocketOf(None) as nobody, SocketOf(visitor) as wire:
        assert await nobody.subscribe(ON_PRESENCE, room="coffee") == ["UNAUTHENTICATED"]
        assert await wire.subscribe(ON_PRESENCE, room="I") == ["FORBIDDEN"]
        await join(nobody, room="kittens")
        assert await present(None, "kittens") == ["Anonymous"]
    assert codes(await sync_to_async(ask)(None, PRESENCE, room="coffee")) == ["UNAUTHENTICATED"]
    assert codes(await sync_to_async(ask)(visitor, PRESENCE, room="I")) == ["FORBIDDEN"]


async def test_who_may_no_longer_leaves(nurse, doctor):
    async with SocketOf(doctor) as watching, SocketOf(nurse) as wire:
        await join(watching, room="I")
        await join(wire, room="I")
        await sync_to_async(nurse.user_permissions.clear)()
        assert await told(watching, "nurse") == ("JOINED", ["doctor", "nurse"])
        assert await told(watching, "nurse") == ("LEFT", ["doctor"])


async def test_who_logs_in_is_somebody_else_and_subscribes_anew(visitor):
    async with SocketOf(None) as wire:
        await join(wire, room="kittens")
        await wire.start(LOGIN, "login")
        while (message := await wire.receive())["type"] != "error":
            pass
        assert codes({"errors": wire.errors_in(message)}) == ["FORBIDDEN"]
        await until(lambda: not Presence.objects.exists())
        await join(wire, room="kittens", op_id="2")
        assert await present(visitor, "kittens") == ["visitor"]


# ---- the heartbeat


@pytest.fixture
def quick(settings):
    settings.CARETEAM = {**settings.CARETEAM, "PRESENCE_LEASE_SECONDS": 1.5}


async def test_the_lease_is_renewed_while_somebody_is_present(visitor, quick):
    async with SocketOf(visitor) as wire:
        await join(wire)
        first = (await PresenceLease.objects.aget()).renewed_at
        await until(lambda: PresenceLease.objects.get().renewed_at > first)
        heartbeat = current_lease()._beating
        assert not heartbeat.done()
    await until(lambda: not Presence.objects.exists())
    await asyncio.wait([heartbeat], timeout=SECONDS)
    assert heartbeat.cancelled()


async def test_what_was_taken_away_is_put_back(visitor, nurse, quick):
    """As after a time in which this process could not reach the database."""
    async with SocketOf(visitor) as watching, SocketOf(nurse) as wire:
        await join(watching)
        await join(wire)
        assert await told(watching, "nurse") == ("JOINED", ["nurse", "visitor"])
        await Presence.objects.filter(name="nurse").adelete()
        await PresenceLease.objects.all().adelete()
        await until(lambda: Presence.objects.filter(name="nurse").exists())
        assert await told(watching, "nurse") == ("JOINED", ["nurse", "visitor"])
        assert await present(visitor) == ["nurse", "visitor"]


async def test_what_another_process_left_is_swept(visitor, nurse, quick):
    async with SocketOf(visitor) as watching:
        await join(watching)
        async with SocketOf(nurse) as wire:
            await join(wire)
            assert (await told(watching, "nurse"))[0] == "JOINED"
            dead = "00000000-0000-0000-0000-000000000001"
            await PresenceLease.objects.acreate(pk=dead, renewed_at=Now())
            await _hand_over("nurse", dead)
            assert await told(watching, "nurse") == ("LEFT", ["visitor"])


async def _hand_over(name, lease):
    """Let somebody have been present by a process that does not renew its lease."""

    def hand_over():
        for context, seat in list(lease_here._seats.items()):
            if seat.name == name:
                del lease_here._seats[context]
        Presence.objects.filter(name=name).update(lease_id=lease)

    lease_here = current_lease()
    await sync_to_async(hand_over)()


async def test_a_heartbeat_that_fails_is_tried_again(visitor, quick, monkeypatch, caplog):
    from careteam import attendance

    tried = []
    renew = attendance.renew

    def fail_once(lease):
        tried.append(lease)
        if len(tried) == 1:
            raise RuntimeError("Ada Lovelace")
        return renew(lease)

    monkeypatch.setattr(attendance, "renew", fail_once)
    async with SocketOf(visitor) as wire:
        await join(wire)
        await until(lambda: len(tried) > 1)
    assert "A presence's heartbeat was missed: RuntimeError" in caplog.text
    assert "Ada" not in caplog.text
