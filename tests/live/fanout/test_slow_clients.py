"""Where a client or `publish` is slow: nothing is lost, but where the class wants the newest."""

import asyncio

import pytest

from live.fanout.hub import Hub
from tests.live.engine import until
from tests.live.stage import Socket
from tests.live.wards import (
    TICK,
    Consumer,
    OnNewestThree,
    OnProgress,
    OnTick,
    Record,
    field_of,
    numbers,
)

KINDS = [(OnProgress, 1), (OnNewestThree, 3)]


@pytest.fixture(autouse=True)
def _nothing_noted(transactional_db):
    Record.begin()


def held(gate):
    """Return a wrapper of `send` that holds notifications up until `gate` is set."""

    def wrap(send):
        async def wrapped(message):
            if '"data":{"on' in message.get("text", ""):
                await gate.wait()
            await send(message)

        return wrapped

    return wrap


async def got_until_last(socket):
    """Return what a stage's socket is told until it is told "last"."""
    got = []
    while not got or got[-1] != "last":
        message = await socket.receive()
        got.append(next(iter(message["payload"]["data"].values()))["n"])
    return got


async def heard(kind, count):
    """Return once the hub has given the first `count` events of a class to its cohorts."""
    hub = Hub.current()
    await until(lambda: hub.source(kind.durable).position == count)


def is_idle():
    return all(cohort.is_idle for cohort in Hub.current()._cohorts.values())


def reading():
    """Return how many subscriptions read from the log at their own pace."""
    return sum(len(cohort.catching_up) for cohort in Hub.current()._cohorts.values())


# ---- the newest win


@pytest.mark.parametrize(("kind", "kept"), KINDS)
async def test_a_limit_keeps_the_newest_where_publish_is_slow(sockets, kind, kept):
    Record.gates["progress"] = asyncio.Event()
    client = await sockets()
    assert await client.subscribe(f"subscription {{ {field_of(kind)} {{ n }} }}") == []
    for number in range(20):
        await kind.broadcast(payload=number)
    await heard(kind, 20)
    Record.gates["progress"].set()
    assert await numbers(client, kept + 1) == [0, *range(20 - kept, 20)]
    assert Record.runs == [0, *range(20 - kept, 20)]


@pytest.mark.parametrize(("kind", "kept"), KINDS)
async def test_a_limit_keeps_the_newest_where_the_socket_is_slow(kind, kept):
    gate = asyncio.Event()
    async with Socket(Consumer, send=held(gate)) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch(f"subscription {{ {field_of(kind)} {{ n }} }}")
        for number in [*range(19), "last"]:
            await kind.broadcast(payload=number)
        await heard(kind, 20)
        await until(is_idle)
        gate.set()
        assert await got_until_last(socket) == [0, *range(20 - kept, 19), "last"]


# ---- nothing is lost


async def test_a_slow_socket_reads_from_the_log_and_is_live_again(settings):
    settings.LIVE = {"NOTIFICATIONS_IN_OUTBOX": 3}
    gate = asyncio.Event()
    async with Socket(Consumer, send=held(gate)) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch("subscription { onTick { n } }")
        for number in [*range(30), "last"]:
            await OnTick.broadcast(payload=number)
        await heard(OnTick, 31)
        assert reading() == 1
        # Its memory is bounded: what waits is the one in hand and those in its queue.
        (session,) = Hub.current().sockets
        assert len(session.send_queue._waiting) == 3
        gate.set()
        assert await got_until_last(socket) == [*range(30), "last"]
        await until(lambda: reading() == 0)
        await OnTick.broadcast(payload="last")
        assert await got_until_last(socket) == ["last"]


async def test_a_slow_socket_delays_no_other(settings, sockets):
    settings.LIVE = {"NOTIFICATIONS_IN_OUTBOX": 3}
    gate = asyncio.Event()
    quick = await sockets()
    assert await quick.subscribe("subscription { onTick { n } }") == []
    async with Socket(Consumer, send=held(gate)) as slow:
        await slow.init(confirmSubscriptions=True, ward="east")
        await slow.watch("subscription { onTick { n } }")
        for number in [*range(30), "last"]:
            await OnTick.broadcast(payload=number)
        assert await numbers(quick, 31) == [*range(30), "last"]
        assert reading() == 1
        gate.set()
        assert await got_until_last(slow) == [*range(30), "last"]


async def test_a_slow_publish_loses_nothing(settings, sockets):
    settings.LIVE = {"NOTIFICATION_QUEUE_LIMIT": 3}
    Record.gates["slow"] = asyncio.Event()
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    for number in range(10):
        await OnTick.broadcast(group="a", payload={"n": number, "how": "slow"})
    await heard(OnTick, 10)
    assert reading() == 1
    Record.gates["slow"].set()
    assert await numbers(client, 10) == list(range(10))
    await OnTick.broadcast(group="a", payload=10)
    assert await numbers(client, 1) == [10]
