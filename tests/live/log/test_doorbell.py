"""What the channel layer carries, and that events arrive without it: doorbells, and the poll."""

import asyncio
from contextlib import asynccontextmanager

import msgpack
import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from live.fanout.hub import Hub
from live.log import announcer, records, store
from live.log.announcer import HUB_GROUP
from live.log.append import one_batch
from live.log.payload import pack
from tests.live.engine import until
from tests.live.notes import (
    NOTES,
    OWN_NOTES,
    PASSING,
    Consumer,
    Desk,
    OnNote,
    OnOwnNote,
    OnPassingNote,
    connect,
    position,
    read,
    read_until,
    write,
)
from tests.live.stage import settled
from tests.live.wire import Wire

SECRET = "Ada Lovelace"
NEVER = 3600

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _desk():
    Desk.clear()
    yield
    await settled()


@pytest.fixture(params=["doorbell", "events"])
def carried(request, settings):
    """What the layer carries; nothing is looked for in silence."""
    settings.LIVE = {"BROADCAST": request.param, "POLL_EVERY": NEVER}
    return request.param


@pytest.fixture
def _doorbell(settings):
    settings.LIVE = {"BROADCAST": "doorbell", "POLL_EVERY": NEVER}


@asynccontextmanager
async def overheard():
    """Be one more process in the hubs' group; yields the messages, as bytes, as they come."""
    layer, heard = get_channel_layer(), []
    channel = await layer.new_channel()
    await layer.group_add(HUB_GROUP, channel)

    async def listen():
        while True:
            heard.append(msgpack.packb(await layer.receive(channel)))

    listening = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await layer.group_discard(HUB_GROUP, channel)


@sync_to_async
def write_batch(*texts):
    """Broadcast in one batch."""
    with one_batch():
        for text in texts:
            OnNote.broadcast(payload=text)


# ---- what the layer carries


async def test_a_doorbell_has_no_word_of_the_event_and_the_event_arrives(carried):
    async with overheard() as heard, connect() as wire:
        assert await wire.subscribe(NOTES) == []
        await write(SECRET)
        await write_batch(f"{SECRET} in", f"{SECRET} a batch")
        await OnNote.unsubscribe_async(group=f"{SECRET}'s")
        assert await read(wire, 3) == [SECRET, f"{SECRET} in", f"{SECRET} a batch"]
        await until(lambda: len(heard) == 3)
    # What "events" carry shows that the name would be seen.
    assert (SECRET.encode() in b"".join(heard)) == (carried == "events")


async def test_who_writes_to_the_layer_can_forge_nothing_behind_doorbells(carried):
    forged = records.pack(records.event(OnNote.group_names(None), pack("forged")))
    async with connect() as wire, connect() as other:
        assert await wire.subscribe(NOTES) == []
        end = await sync_to_async(store.end)()
        message = {"type": "live.log", "epoch": end.epoch, "last": end.number + 1}
        await get_channel_layer().group_send(HUB_GROUP, {**message, "records": [forged]})
        await other.ask("{ __typename }")
        await write("true", "true too")
        got = [text for _, text in await read_until(wire, "true too")]
    # What "events" carry shows that it could be done.
    assert got == (["true", "true too"] if carried == "doorbell" else ["forged", "true too"])


# What reaches the watchers of notes, or their sockets, where it is in the log.
FORGED = {
    "event": lambda user: records.event(OnNote.group_names(None), pack("forged")),
    "end": lambda user: records.unsubscribe(OnNote.group_names(None)),
    "rights": lambda user: records.rights([user.pk]),
    "everybody's rights": lambda user: records.rights(None),
    "kick": lambda user: records.kick([user.pk]),
}


@pytest.mark.usefixtures("carried")
@pytest.mark.parametrize("kind", FORGED)
async def test_past_the_log_nothing_is_forged_for_those_who_rely_on_it(nurse, kind):
    forged = records.pack(FORGED[kind](nurse))
    async with Wire(Consumer.as_asgi(), nurse) as wire:
        assert await wire.subscribe(NOTES) == []
        (socket,) = Hub.current().sockets
        await socket.rights.settled()
        looks = socket.rights.looks
        # What passes the log has numbers of its own, which come to be beyond the log's.
        for _ in range(await sync_to_async(lambda: store.end().number)() + 2):
            message = {"type": "live.passing", "record": forged}
            await get_channel_layer().group_send(HUB_GROUP, message)
        await write("true", "true too")
        assert await read(wire, 2) == ["true", "true too"]
        assert (await wire.ask("{ __typename }", "2"))["data"]
        assert socket.rights.looks == looks


@pytest.mark.usefixtures("_doorbell")
async def test_what_passes_the_log_has_to_be_carried():
    """There is nowhere else to read it."""
    async with overheard() as heard, connect() as wire:
        assert await wire.subscribe(PASSING) == []
        await write("passing", kind=OnPassingNote)
        assert await read(wire, 1) == ["passing"]
        await until(lambda: heard)
    assert b"passing" in heard[0]


# ---- doorbells


@pytest.mark.usefixtures("_doorbell")
@pytest.mark.parametrize(("query", "kind"), [(NOTES, OnNote), (OWN_NOTES, OnOwnNote)])
async def test_behind_doorbells_each_event_comes_once_in_order(query, kind):
    start, texts = await position(), [str(number) for number in range(1, 121)]
    writing = asyncio.create_task(write(*texts, "last", kind=kind))
    async with connect() as first, connect() as second:
        for wire in (first, second):
            assert await wire.subscribe(query, after=start) == []
        expected = list(enumerate([*texts, "last"], 1))
        assert await read_until(first, "last") == expected
        assert await read_until(second, "last") == expected
    await writing


@pytest.mark.usefixtures("_doorbell")
async def test_behind_doorbells_an_end_has_its_place_among_the_events():
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        await write("one", "two")
        await OnNote.unsubscribe_async()
        await write("three")
        assert await read(wire, 2) == ["one", "two"]
        assert (await wire.receive())["type"] == "complete"


@pytest.mark.usefixtures("_doorbell")
async def test_a_doorbell_of_many_has_a_long_part_of_the_log_read():
    texts = [str(number) for number in range(1, 1201)]
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        await write_batch(*texts)
        assert await read(wire, len(texts)) == texts


# ---- silence


class Silence:
    """A sender that sends nothing."""

    @staticmethod
    def put(message):
        """Lose it."""


@pytest.mark.usefixtures("carried")
async def test_what_the_layer_loses_is_not_there_before_somebody_looks(monkeypatch):
    monkeypatch.setattr(announcer, "announcer", lambda: Silence)
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        await write("one", "two")
        assert (await wire.ask("{ __typename }", "2"))["data"]
        assert Hub.current().log.position == 0
        Hub.current()._follower._look.set()
        assert await read(wire, 2) == ["one", "two"]


@pytest.mark.parametrize("broadcast", ["doorbell", "events"])
async def test_while_the_layer_is_silent_events_come_by_the_poll(monkeypatch, settings, broadcast):
    settings.LIVE = {"BROADCAST": broadcast, "POLL_EVERY": 0.02}
    monkeypatch.setattr(announcer, "announcer", lambda: Silence)
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        for text in ("one", "two", "three"):
            await write(text)
            assert await read(wire, 1) == [text]
        await write("four", "five")
        await OnNote.unsubscribe_async()
        await write("six")
        assert await read(wire, 2) == ["four", "five"]
        assert (await wire.receive())["type"] == "complete"


async def test_a_layer_that_loses_some_delivers_all(monkeypatch, settings):
    """Every third message comes; what is between is read where the gap shows."""
    settings.LIVE = {"POLL_EVERY": 0.5}
    put, count = announcer.announcer().put, iter(range(1, 1000))

    class Lossy:
        @staticmethod
        def put(message):
            if next(count) % 3 == 0:
                put(message)

    monkeypatch.setattr(announcer, "announcer", lambda: Lossy)
    texts = [str(number) for number in range(1, 101)]
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        writing = asyncio.create_task(write(*texts))
        assert await read(wire, len(texts)) == texts
        await writing


async def test_a_layer_that_repeats_and_shuffles_delivers_once_in_order(monkeypatch):
    put, held = announcer.announcer().put, []

    class Shuffling:
        @staticmethod
        def put(message):
            held.append(message)
            if len(held) % 4 == 0:
                for late in (*reversed(held[-4:]), *held[-6:]):
                    put(late)

    monkeypatch.setattr(announcer, "announcer", lambda: Shuffling)
    texts = [str(number) for number in range(1, 101)]
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        writing = asyncio.create_task(write(*texts))
        assert await read(wire, len(texts)) == texts
        await writing
        assert (await wire.ask("{ __typename }", "2"))["data"]
        assert sum('"text"' in frame for frame in wire.frames) == len(texts)
