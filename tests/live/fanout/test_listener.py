"""The hub listens: one channel for a process, whatever becomes of its layer or of the database."""

import asyncio
import threading
from contextlib import nullcontext

import pytest
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.db import OperationalError, transaction

from live import metrics
from live.concurrency import outage
from live.concurrency.threads import in_worker_thread
from live.errors import Unavailable
from live.fanout import follower, listener
from live.fanout import hub as hub_module
from live.fanout.hub import Hub
from live.log import announcements, counter, numbering, pending, records
from live.log import append as append_module
from live.log.announcer import HUB_GROUP
from live.log.cursor import Cursor
from live.log.entry import Entry
from tests.live.engine import Echo, Socket, event_record, until
from tests.live.place import Place, value

SECONDS = 20
SECRET = "Ada Lovelace"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def hub():
    hub = Hub.current()
    yield hub
    for socket in list(hub.sockets):
        await hub.leave(socket)
    assert hub._groups == hub._cohorts == {}


@in_worker_thread
def broadcast(*payloads):
    """Write events, each of which every hub is told."""
    for payload in payloads:
        append_module.write(event_record(payload, "g"))


@in_worker_thread
def append(*payloads):
    """Write events of which no hub is told, as where the channel layer loses them."""
    entries = [Entry.of(event_record(payload, "g")) for payload in payloads]
    with transaction.atomic():
        numbered = numbering.append(entries)
    return (numbered or numbering.number()).end


def poll(settings, seconds):
    """Have a hub look at the log where it heard nothing for so long."""
    settings.LIVE = {"POLL_EVERY": seconds}


# ---- one for a loop


async def test_there_is_one_hub_and_one_channel_however_many_sockets(hub):
    for _ in range(10):
        hub.enter(Socket())
        assert Hub.current() is hub
    await hub.listening()
    assert len(get_channel_layer()._room().groups[HUB_GROUP]) == 1


async def test_each_threads_loop_has_a_hub_that_hears_every_event_once(hub):
    joined, done = threading.Event(), threading.Event()
    got = []

    async def serve():
        other = Hub.current()
        assert other is not hub
        socket = Socket()
        other.enter(socket)
        await other.listening()
        place = Place(other, Echo())
        joined.set()
        await until(lambda: place.got[-1:] == ["last"], SECONDS)
        got.extend(place.got)
        place.leave()
        await other.leave(socket)
        done.set()

    hub.enter(Socket())
    await hub.listening()
    place = Place(hub, Echo())
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert await asyncio.to_thread(joined.wait, SECONDS)
    await broadcast(*range(50), "last")
    assert await asyncio.to_thread(done.wait, SECONDS)
    await until(lambda: place.got[-1:] == ["last"])
    assert place.got == got == [*range(50), "last"]
    place.leave()
    await asyncio.to_thread(thread.join, SECONDS)


async def test_it_stops_with_the_last_socket_and_starts_again(hub):
    before = value(metrics.sockets)
    for round_ in range(2):
        one, other = Socket(), Socket()
        hub.enter(one)
        hub.enter(other)
        await hub.listening()
        place = Place(hub, Echo())
        await broadcast(round_)
        await until(lambda place=place: place.got)
        assert place.got == [round_]
        place.leave()
        await hub.leave(one)
        await hub.leave(one)
        assert value(metrics.sockets) == before + 1
        tasks = hub._tasks
        await hub.leave(other)
        assert tasks
        assert all(task.done() for task in tasks)
        assert get_channel_layer()._room().groups == {}
    assert value(metrics.sockets) == before


async def test_what_was_committed_while_it_slept_is_not_told_to_who_comes_then(hub):
    first, second = Socket(), Socket()
    hub.enter(first)
    await hub.listening()
    await hub.leave(first)
    await broadcast("before")
    hub.enter(second)
    await hub.listening()
    place = Place(hub, Echo())
    await broadcast("after")
    await until(lambda: place.got)
    assert place.got == ["after"]
    assert ("lost",) not in second.told
    place.leave()


async def test_a_burst_in_the_layer_lets_the_loop_turn_between_events(hub, settings):
    poll(settings, 3600)
    hub.enter(Socket())
    await hub.listening()
    place = Place(hub, Echo())
    room = get_channel_layer()._room()
    (channel,) = room.groups[HUB_GROUP]
    end = await append(*range(100))
    for number in range(100):  # no turn of the loop is between these
        packed = records.pack(event_record(number, "g"))
        await room.send(channel, announcements.log_grew(Cursor(end.epoch, number + 1), [packed]))
    most = 0
    while len(place.got) < 100:
        had = len(place.got)
        await asyncio.sleep(0)
        most = max(most, len(place.got) - had)
    assert place.got == list(range(100))
    assert most <= 3
    place.leave()


# ---- a channel layer that loses, or goes away


async def test_what_the_layer_drops_is_read_from_the_log(hub, settings, caplog):
    """The embedded layer has a bound: what goes beyond it comes all the same, and in order."""
    config = settings.CHANNEL_LAYERS["default"]
    small = {**config, "CONFIG": {**config["CONFIG"], "capacity": 2}}
    settings.CHANNEL_LAYERS = {"default": small}
    socket = Socket()
    hub.enter(socket)
    await hub.listening()
    place = Place(hub, Echo())
    room = get_channel_layer()._room()
    (channel,) = room.groups[HUB_GROUP]
    end = await append(*range(6))
    for number in range(6):  # no turn of the loop is between these
        packed = records.pack(event_record(number, "g"))
        message = announcements.log_grew(Cursor(end.epoch, number + 1), [packed])
        with nullcontext() if number < 2 else pytest.raises(ChannelFull):
            await room.send(channel, message)
    await until(lambda: len(place.got) == 6)
    await broadcast(6)
    await until(lambda: len(place.got) == 7)
    assert place.got == list(range(7))
    assert "The channel layer is away: ChannelFull" in caplog.text
    assert ("lost",) not in socket.told
    place.leave()


class Layer:
    """A channel layer that fails where it is told to, and hears what is put into its queue."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.joined = self.tried = 0
        self.joins_fail = False
        self.hangs = ""  # the method that never returns

    async def _reach(self, method):
        if self.hangs == method:
            await asyncio.Event().wait()

    async def new_channel(self, prefix):
        await self._reach("new_channel")
        return f"{prefix}.{self.joined}"

    async def group_add(self, group, channel):
        self.tried += 1
        await self._reach("group_add")
        if self.joins_fail:
            raise ConnectionRefusedError(SECRET)
        self.joined += 1

    async def group_discard(self, group, channel):
        await self._reach("group_discard")
        raise ConnectionResetError(SECRET)

    async def receive(self, channel):
        message = await self.queue.get()
        if isinstance(message, Exception):
            raise message
        return message


@pytest.fixture
def layer(monkeypatch):
    layer = Layer()
    monkeypatch.setattr(listener, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.01)
    return layer


async def test_while_the_layer_is_away_events_come_by_the_log(hub, layer, settings, caplog):
    poll(settings, 0.01)
    socket = Socket()
    hub.enter(socket)
    await hub.listening()
    assert value(metrics.layer_up) == 1
    place = Place(hub, Echo())
    layer.joins_fail = True
    layer.queue.put_nowait(ConnectionResetError(SECRET))
    await until(lambda: layer.tried > 2)
    assert value(metrics.layer_up) == 0
    await append(1, 2)
    await until(lambda: place.got == [1, 2])
    layer.joins_fail = False
    await until(lambda: value(metrics.layer_up) == 1)
    assert layer.joined == 2
    end = await append(3)
    packed = records.pack(event_record(3, "g"))
    layer.queue.put_nowait(announcements.log_grew(end, [packed]))
    await until(lambda: place.got == [1, 2, 3])
    assert ("lost",) not in socket.told
    # One line when it goes, however often it is tried, and one when it is back.
    lines = [
        record.getMessage() for record in caplog.records if record.name == "live.concurrency.outage"
    ]
    assert lines == [
        "The channel layer is away: ConnectionResetError",
        "The channel layer is back",
    ]
    assert SECRET not in caplog.text
    place.leave()


async def test_a_layer_that_was_never_there_keeps_nobody_waiting(hub, layer, settings):
    poll(settings, 0.01)
    layer.joins_fail = True
    hub.enter(Socket())
    await hub.listening()
    place = Place(hub, Echo())
    await append(1)
    await until(lambda: place.got == [1])
    place.leave()


async def test_who_would_wait_for_a_layer_that_hangs_is_told(hub, layer, monkeypatch):
    monkeypatch.setattr(hub_module, "READY_SECONDS", 0.05)
    layer.hangs = "group_add"
    hub.enter(Socket())
    with pytest.raises(Unavailable):
        await hub.listening()


@pytest.mark.parametrize("method", ["new_channel", "group_add", "group_discard"])
async def test_a_layer_that_hangs_holds_up_nobody(hub, layer, settings, monkeypatch, method):
    poll(settings, 0.01)
    monkeypatch.setattr(listener, "JOIN_SECONDS", 0.05)
    layer.hangs, socket = method, Socket()
    hub.enter(socket)
    await hub.listening()
    assert value(metrics.layer_up) == (method == "group_discard")
    place = Place(hub, Echo())
    await append(1, 2)
    await until(lambda: place.got == [1, 2])
    place.leave()
    async with asyncio.timeout(hub_module.READY_SECONDS):
        await hub.leave(socket)


async def test_a_layer_that_hung_is_joined_once_it_answers(hub, layer, settings, monkeypatch):
    poll(settings, 3600)
    monkeypatch.setattr(listener, "JOIN_SECONDS", 0.05)
    layer.hangs = "group_add"
    hub.enter(Socket())
    await hub.listening()
    place = Place(hub, Echo())
    layer.hangs = ""
    await until(lambda: value(metrics.layer_up) == 1)
    end = await append(1)
    layer.queue.put_nowait(announcements.log_grew(end, [records.pack(event_record(1, "g"))]))
    await until(lambda: place.got == [1])
    place.leave()


# ---- a database that is away


async def test_who_would_wait_for_the_database_is_told_until_it_is_back(hub, monkeypatch, caplog):
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(hub_module, "READY_SECONDS", 0.2)
    is_away, look = True, pending.look

    def look_or_fail():
        if is_away:
            raise OperationalError(SECRET)
        return look()

    monkeypatch.setattr(pending, "look", look_or_fail)
    hub.enter(Socket())
    with pytest.raises(Unavailable):
        await hub.listening()
    is_away = False
    monkeypatch.setattr(hub_module, "READY_SECONDS", SECONDS)
    await hub.listening()
    place = Place(hub, Echo())
    await broadcast(1)
    await until(lambda: place.got == [1])
    assert SECRET not in caplog.text
    place.leave()


# ---- another log


async def test_a_log_in_another_s_place_is_told_to_the_sockets(hub, settings):
    poll(settings, 0.01)
    socket = Socket()
    hub.enter(socket)
    await hub.listening()
    await in_worker_thread(counter.start_new_epoch)()
    await asyncio.wait_for(socket.lost.wait(), SECONDS)
    place = Place(hub, Echo())
    await broadcast(1)
    await until(lambda: place.got == [1])
    assert socket.told.count(("lost",)) == 1
    place.leave()
