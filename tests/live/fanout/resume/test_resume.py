"""Who comes back with a cursor: all that came after it, then what happens, once and in order."""

import asyncio
import random

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from live import metrics
from live.fanout.hub import Hub
from live.log import store
from live.log.cursor import Cursor, decode, encode
from tests.live.engine import until
from tests.live.notes import (
    NOTES,
    OF_TOPICS,
    OWN_NOTES,
    PASSING,
    Desk,
    OnNote,
    OnOwnNote,
    OnPassingNote,
    OnPointer,
    connect,
    position,
    read,
    read_until,
    write,
)
from tests.live.stage import settled

pytestmark = pytest.mark.django_db(transaction=True)


# ---- all that came after it, then what happens


@pytest.mark.usefixtures("_kept")
async def test_all_that_came_after_a_cursor_then_what_happens(subprotocol):
    async with connect(subprotocol) as wire:
        assert await wire.subscribe(NOTES) == []
        await write(*"abcdef")
        cursors = [(await wire.event())["event"]["cursor"] for _ in range(6)]
    for index, cursor in enumerate(cursors):
        async with connect(subprotocol) as wire:
            assert await wire.subscribe(NOTES, after=cursor) == []
            await write("last")
            expected = [*"abcdef"[index + 1 :], *["last"] * (index + 1)]
            assert await read(wire, len(expected)) == expected


async def test_after_the_position_comes_what_happens_from_then_on():
    await write("before")
    async with connect() as wire:
        place = await sync_to_async(store.position)()
        await write("between")
        assert await wire.subscribe(NOTES, after=place) == []
        await write("then")
        assert await read(wire, 2) == ["between", "then"]


async def test_without_a_cursor_comes_what_happens_from_then_on():
    await write("before")
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        await write("then")
        assert await read(wire, 1) == ["then"]


async def test_a_cursor_is_its_events_whether_that_came_live_or_later():
    start = await position()
    async with connect() as live, connect() as later:
        assert await live.subscribe(NOTES, after=start) == []
        await write(*"abc")
        assert await later.subscribe(NOTES, after=start) == []
        seen = [[await wire.event() for _ in range(3)] for wire in (live, later)]
    assert seen[0] == seen[1]
    places = [decode(note["event"]["cursor"]) for note in seen[0]]
    assert places == [Cursor(decode(start).epoch, number) for number in (1, 2, 3)]
    assert encode(places[-1]) == await position()


async def test_what_is_not_for_the_subscription_is_passed_over():
    start = await position()
    for topic in "abab":
        await write(f"of {topic}", topic=topic)
    await write("skipped", "for all")
    async with connect() as wire:
        assert await wire.subscribe(OF_TOPICS, topics=["b"], after=start) == []
        await write("of a", topic="a")
        await write("last", topic="b")
        assert await read(wire, 4) == ["of b", "of b", "for all", "last"]


async def test_an_event_of_several_of_its_groups_comes_once():
    start = await position()
    await write("before", topic=["a", "b"])
    async with connect() as wire:
        assert await wire.subscribe(OF_TOPICS, topics=["a", "b"], after=start) == []
        await write("then", topic=["b", "a", "c"])
        await write("last", topic="b")
        assert await read(wire, 3) == ["before", "then", "last"]


async def test_what_rolled_back_is_not_there_later_either():
    start = await position()

    @sync_to_async
    def roll_back():
        with transaction.atomic():
            OnNote.broadcast(payload="never")
            transaction.set_rollback(True)

    await write("one")
    await roll_back()
    await write("two")
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=start) == []
        await roll_back()
        await write("three")
        assert await read(wire, 3) == ["one", "two", "three"]


async def test_each_subscription_of_a_socket_goes_on_from_its_own_place():
    places = [await position()]
    for text in "abc":
        await write(text)
        places.append(await position())
    async with connect() as wire:
        for number, place in enumerate(places):
            await wire.start(NOTES, str(number), after=place)
        got = {str(number): [] for number in range(4)}
        while sum(map(len, got.values())) < 6:
            message = await wire.receive()
            if data := message["payload"]["data"]:
                got[message["id"]].append(data["event"]["text"])
    assert list(got.values()) == [list("abc"), list("bc"), list("c"), []]


@pytest.mark.usefixtures("unsent")
async def test_a_place_that_this_process_has_not_reached_yet(settings):
    """The position was another process's, which is ahead by what this one has not heard."""
    settings.LIVE = {"POLL_EVERY": 3600}
    async with connect() as wire:
        assert await wire.subscribe(NOTES, "early") == []
        await write("one", "two")
        assert await wire.subscribe(NOTES, "late", after=await position()) == []
        await write("three")
        Hub.current()._follower._look.set()
        seen = [await wire.receive() for _ in range(4)]
    got = [(message["id"], message["payload"]["data"]["event"]["text"]) for message in seen]
    assert [text for name, text in got if name == "early"] == ["one", "two", "three"]
    assert [text for name, text in got if name == "late"] == ["three"]


# ---- while broadcasts go on


COUNT = 150
LAST = str(COUNT)


async def write_for_a_while(kind):
    for number in range(1, COUNT + 1):
        await kind.broadcast_async(payload=str(number))


async def come_and_go(query, place, dice):
    """Read to the last event on many sockets, each from where the one before ended."""
    got = []
    while not got or got[-1][1] != LAST:
        async with connect() as wire:
            assert await wire.subscribe(query, after=place) == []
            for _ in range(dice.randint(1, 30)):
                note = (await wire.event())["event"]
                place = note["cursor"]
                got.append((decode(place).number, note["text"]))
                if note["text"] == LAST:
                    break
    return got


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize(("query", "kind"), [(NOTES, OnNote), (OWN_NOTES, OnOwnNote)])
async def test_who_comes_and_goes_while_events_come_has_each_once(query, kind):
    start = await position()
    writing = asyncio.create_task(write_for_a_while(kind))
    clients = [come_and_go(query, start, random.Random(seed)) for seed in range(6)]
    everything = [(number, str(number)) for number in range(1, COUNT + 1)]
    for got in await asyncio.gather(*clients):
        assert got == everything
    await writing


@pytest.mark.usefixtures("_kept")
async def test_from_whatever_place_one_goes_on_while_events_come():
    writing = asyncio.create_task(write_for_a_while(OnNote))

    async def from_its_place(seed):
        await until(lambda: hub.log.position > seed * COUNT / 12, seconds=20)
        place = Cursor(epoch, random.Random(seed).randint(0, hub.log.position))
        async with connect() as wire:
            assert await wire.subscribe(NOTES, after=encode(place)) == []
            numbers = [number for number, _ in await read_until(wire, LAST)]
        assert numbers == list(range(place.number + 1, COUNT + 1))

    async with connect() as watching:
        hub, epoch = Hub.current(), decode(await position()).epoch
        assert await watching.subscribe(NOTES, after=encode(Cursor(epoch, 0))) == []
        reading = asyncio.create_task(read_until(watching, LAST))
        await asyncio.gather(*map(from_its_place, range(10)))
        assert [number for number, _ in await reading] == list(range(1, COUNT + 1))
    await writing


# ---- past the log


async def test_what_is_not_durable_has_no_cursor_and_takes_none():
    for query in (
        'subscription { onPassingNote(after: "") { text } }',
        "subscription { onPassingNote { cursor text } }",
    ):
        async with connect() as wire:
            assert await wire.subscribe(query) == ["BAD_INPUT"]


async def test_what_is_not_durable_may_have_a_cursor_of_its_own():
    async with connect() as wire:
        assert await wire.subscribe("subscription { event: onPointer { cursor } }") == []
        await OnPointer.broadcast_async(payload=7)
        assert await wire.event() == {"event": {"cursor": 7}}


async def test_what_is_not_durable_is_not_in_the_log():
    place = await position()
    async with connect() as wire:
        assert await wire.subscribe(PASSING) == []
        await write("passing", kind=OnPassingNote)
        assert await read(wire, 1) == ["passing"]
    assert await position() == place


# ---- sockets that go


async def test_who_goes_in_the_middle_leaves_nothing_behind():
    start = await position()
    await write(*["x"] * 50, "held", *["x"] * 50)
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=start) == []
        await read(wire, 20)
    Desk.gate.set()
    await settled()
    hub = Hub.current()
    assert hub._cohorts == hub._groups == {}
    assert hub.sockets == set()
    assert metrics.replaying._value.get() == 0


async def test_who_completes_in_the_middle_hears_no_more():
    start = await position()
    await write(*["x"] * 20, "held", "never")
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=start) == []
        await read(wire, 20)
        await wire.send(id="1", type="complete")
        Desk.gate.set()
        async with connect() as other:
            assert await other.subscribe(NOTES, after=start) == []
            assert (await read(other, 22))[-1] == "never"
        assert (await wire.ask("{ __typename }", "2"))["data"]
        assert not any("never" in frame for frame in wire.frames)
