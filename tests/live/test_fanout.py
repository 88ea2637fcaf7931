"""The hub: one channel for a process, each event once to each cohort, whatever the layer does."""

import asyncio
import threading

import pytest
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer

from live import fanout, metrics
from live.errors import Unavailable
from live.fanout import HUB_GROUP, Hub, send_to_hubs
from tests.live.engine import Client, Echo, Slow, Socket, event, turns, until


@pytest.fixture
async def hub():
    hub = Hub.current()
    yield hub
    for socket in list(hub.sockets):
        await hub.leave(socket)
    assert hub._groups == hub._cohorts == {}


def join(hub, *groups, key="key", run=None, limit=None):
    """Register a new client; return it and its member."""
    client = Client()
    return client, hub.join(client, groups, key, run or Echo(), limit)


def value(gauge):
    return gauge._value.get()


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
        client, member = join(other, "g")
        joined.set()
        await until(lambda: client.got[-1:] == ["last"])
        got.extend(client.got)
        other.part(member)
        await other.leave(socket)
        done.set()

    hub.enter(Socket())
    await hub.listening()
    client, member = join(hub, "g")
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert await asyncio.to_thread(joined.wait, 10)
    for payload in [*range(50), "last"]:
        await send_to_hubs(event(payload, "g"))
    assert await asyncio.to_thread(done.wait, 10)
    await until(lambda: client.got[-1:] == ["last"])
    assert client.got == got == [*range(50), "last"]
    hub.part(member)
    thread.join()


async def test_it_stops_with_the_last_socket_and_starts_again(hub):
    before = value(metrics.sockets)
    for round_ in range(2):
        one, other = Socket(), Socket()
        hub.enter(one)
        hub.enter(other)
        await hub.listening()
        client, member = join(hub, "g")
        await send_to_hubs(event(round_, "g"))
        await until(lambda client=client: client.bodies)
        assert client.got == [round_]
        hub.part(member)
        await hub.leave(one)
        await hub.leave(one)
        assert hub._reader is not None
        assert value(metrics.sockets) == before + 1
        await hub.leave(other)
        assert hub._reader is None
        assert get_channel_layer()._room().groups == {}
    assert value(metrics.sockets) == before


# ---- members


async def test_nothing_stays_of_members_who_left(hub):
    gauges = (metrics.subscriptions, metrics.cohorts)
    before = [value(gauge) for gauge in gauges]
    members = [join(hub, "a", f"g{n}", key=n % 3)[1] for n in range(9)]
    assert value(metrics.subscriptions) == before[0] + 9
    for member in members:
        hub.part(member)
        hub.part(member)
    assert [value(gauge) for gauge in gauges] == before
    assert hub._groups == hub._cohorts == {}


async def test_equal_keys_share_a_run_if_their_groups_are_equal_too(hub):
    run, other_run = Echo(), Echo()
    clients = [join(hub, "a", "b", run=run), join(hub, "b", "a", run=other_run)]
    alone = join(hub, "a", run=other_run)
    hub.take(event(1, "a"))
    hub.take(event(2, "b"))
    assert [client.got for client, _ in clients] == [[1, 2], [1, 2]]
    assert alone[0].got == [1]
    assert (run.calls, other_run.calls) == (2, 1)
    for _, member in [*clients, alone]:
        hub.part(member)


async def test_an_event_in_several_groups_of_a_member_comes_once(hub):
    client, member = join(hub, "a", "b")
    hub.take(event(1, "a", "b", "c"))
    assert client.got == [1]
    hub.part(member)


async def test_a_message_that_is_none_harms_nothing(hub, caplog):
    client, member = join(hub, "g")
    for message in ({}, {"type": "no.such"}, {"type": "live.event"}, {"type": "live.rights"}):
        hub.take(message)
    hub.take({"type": "live.event", "groups": ["g"], "payload": "Ada Lovelace"})
    hub.take(event(2, "g"))
    assert client.bodies[-1] == {"data": {"event": 2}}
    assert "Ada Lovelace" not in caplog.text
    hub.part(member)


async def test_a_receiver_that_fails_is_ended_and_the_others_go_on(hub, caplog):
    (failing, one), (client, other) = join(hub, "g"), join(hub, "g")

    def fail():
        raise KeyError("Ada Lovelace")

    failing.on_deliver = fail
    hub.take(event(1, "g"))
    assert failing.overflows == 1
    assert client.got == [1]
    assert "Ada Lovelace" not in caplog.text
    hub.part(one)
    hub.part(other)


async def test_unsubscribe_tells_the_groups_members_only(hub):
    (one, first), (other, second) = join(hub, "a"), join(hub, "b")
    hub.take({"type": "live.unsubscribe", "groups": ["a"]})
    assert (one.ended, other.ended) == (True, False)
    hub.part(first)
    hub.part(second)


async def test_rights_and_kicks_are_told_to_every_socket(hub):
    socket = Socket()
    hub.enter(socket)
    hub.take({"type": "live.rights", "users": [1, 2]})
    hub.take({"type": "live.rights", "users": None})
    hub.take({"type": "live.kick", "users": [3]})
    assert socket.told == [
        ("rights", frozenset({1, 2})),
        ("rights", None),
        ("kicked", frozenset({3})),
    ]


# ---- rights that change


async def test_what_comes_while_rights_are_looked_at_runs_once_as_they_are_then(hub):
    old, new = Slow(), Echo()
    client, member = join(hub, "g", key="old", run=old)
    stays, other = join(hub, "g", key="old", run=old)
    hub.take(event(1, "g"))
    hub.take(event(2, "g"))
    await old.let_one()
    assert client.got == [1]
    hub.suspend(member)
    hub.suspend(member)
    hub.take(event(3, "g"))
    await old.let_all()
    assert (client.got, stays.got) == ([1], [1, 2, 3])
    hub.readmit(member, "new", new)
    await until(lambda: len(client.got) == 3)
    assert client.got == [1, 2, 3]
    assert new.calls == 2
    hub.take(event(4, "g"))
    await turns()
    assert client.got == [1, 2, 3, 4]
    hub.part(member)
    await old.let_all()
    hub.part(other)


async def test_who_is_readmitted_joins_those_who_share_its_key_again(hub):
    run = Echo()
    members = [join(hub, "g", run=run) for _ in range(3)]
    for _, member in members:
        hub.suspend(member)
    assert len(hub._cohorts) == 3
    hub.take(event(1, "g"))
    for _, member in members:
        hub.readmit(member, "key", run)
    await until(lambda: len(hub._cohorts) == 1)
    run.calls = 0
    hub.take(event(2, "g"))
    assert run.calls == 1
    assert [client.got for client, _ in members] == [[1, 2]] * 3
    for _, member in members:
        hub.part(member)


async def test_a_limit_holds_through_a_change_of_rights(hub):
    client, member = join(hub, "g", limit=2)
    hub.suspend(member)
    for number in range(5):
        hub.take(event(number, "g"))
    hub.readmit(member, "key", Echo())
    await until(lambda: len(client.got) == 2)
    assert client.got == [3, 4]
    await turns()
    assert member.cohort.limit == 2
    hub.part(member)


async def test_who_left_is_neither_suspended_nor_readmitted(hub):
    client, member = join(hub, "g")
    hub.part(member)
    hub.suspend(member)
    hub.readmit(member, "key", Echo())
    hub.take(event(1, "g"))
    assert client.got == []


# ---- the loop's turns


async def test_a_burst_in_the_layer_lets_the_loop_turn_between_events(hub):
    hub.enter(Socket())
    await hub.listening()
    client, member = join(hub, "g")
    room = get_channel_layer()._room()
    (channel,) = room.groups[HUB_GROUP]
    for number in range(100):  # no turn of the loop is between these
        await room.send(channel, event(number, "g"))
    most = 0
    while len(client.got) < 100:
        had = len(client.got)
        await asyncio.sleep(0)
        most = max(most, len(client.got) - had)
    assert client.got == list(range(100))
    assert most <= 3
    hub.part(member)


async def test_many_cohorts_are_served_over_several_turns_each_in_order(hub, monkeypatch):
    monkeypatch.setattr(fanout, "LONGEST_TURN_SECONDS", 0)
    members = [join(hub, "g", key=n) for n in range(50)]
    for number in range(3):
        hub.take(event(number, "g"))
    assert not any(client.bodies for client, _ in members)
    most = 0
    while members[-1][0].got != [0, 1, 2]:
        had = sum(len(client.bodies) for client, _ in members)
        await asyncio.sleep(0)
        most = max(most, sum(len(client.bodies) for client, _ in members) - had)
    assert all(client.got == [0, 1, 2] for client, _ in members)
    assert most == 1
    await turns()
    assert hub._catching_up is None
    for _, member in members:
        hub.part(member)


# ---- a channel layer that goes away


class Layer:
    """A channel layer that fails where it is told to."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.joined = 0
        self.discarded = []
        self.joins_fail = False

    async def new_channel(self, prefix):
        return f"{prefix}.{self.joined}"

    async def group_add(self, group, channel):
        if self.joins_fail:
            raise ConnectionRefusedError
        self.joined += 1

    async def group_discard(self, group, channel):
        self.discarded.append(channel)
        raise ConnectionResetError

    async def receive(self, channel):
        message = await self.queue.get()
        if isinstance(message, Exception):
            raise message
        return message


@pytest.fixture
def layer(monkeypatch):
    layer = Layer()
    monkeypatch.setattr(fanout, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(fanout, "RETRY_SECONDS", 0.01)
    return layer


async def test_a_layer_that_fails_is_joined_again_and_sockets_told(hub, layer, caplog):
    socket = Socket()
    hub.enter(socket)
    await hub.listening()
    client, member = join(hub, "g")
    assert value(metrics.layer_up) == 1
    layer.joins_fail = True
    layer.queue.put_nowait(ConnectionResetError("Ada Lovelace"))
    await asyncio.wait_for(socket.lost.wait(), 5)
    assert value(metrics.layer_up) == 0
    await until(lambda: caplog.text.count("The channel layer is away") > 2)
    # They are told once, not at every attempt.
    assert socket.told.count(("lost",)) == 1
    layer.joins_fail = False
    await hub.listening()
    assert layer.joined == 2
    await until(lambda: value(metrics.layer_up) == 1)
    layer.queue.put_nowait(event(1, "g"))
    await until(lambda: client.bodies)
    assert client.got == [1]
    assert "Ada Lovelace" not in caplog.text
    hub.part(member)


async def test_a_layer_that_dropped_a_message_says_so_to_the_sockets(hub, settings):
    """The embedded layer has a bound; what goes beyond it is not lost without a word."""
    config = settings.CHANNEL_LAYERS["default"]
    small = {**config, "CONFIG": {**config["CONFIG"], "capacity": 2}}
    settings.CHANNEL_LAYERS = {"default": small}
    socket = Socket()
    hub.enter(socket)
    await hub.listening()
    room = get_channel_layer()._room()
    (channel,) = room.groups[HUB_GROUP]
    for number in range(2):  # no turn of the loop is between these
        await room.send(channel, event(number, "g"))
    with pytest.raises(ChannelFull):
        await room.send(channel, event(2, "g"))
    await asyncio.wait_for(socket.lost.wait(), 5)


async def test_who_cannot_join_is_told_rather_than_kept_waiting(hub, layer, monkeypatch):
    monkeypatch.setattr(fanout, "JOIN_SECONDS", 0.05)
    layer.joins_fail = True
    hub.enter(Socket())
    with pytest.raises(Unavailable):
        await hub.listening()
    layer.joins_fail = False
    await until(lambda: layer.joined)
    await hub.listening()


async def test_sockets_that_never_heard_lose_nothing(hub, layer):
    layer.joins_fail = True
    socket = Socket()
    hub.enter(socket)
    await asyncio.sleep(0.05)
    layer.joins_fail = False
    await hub.listening()
    assert ("lost",) not in socket.told
