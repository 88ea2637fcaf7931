"""What a subscription does not take: a channel, a thread, or a task."""

import asyncio
import threading
from contextlib import AsyncExitStack

import pytest
from channels.layers import get_channel_layer

from live.concurrency.threads import Pool, size_of
from live.socket import session
from tests.live.engine import until
from tests.live.notes import NOTES, OWN_NOTES, Desk, OnOwnNote, connect, read, write
from tests.live.stage import settled

pytestmark = pytest.mark.django_db(transaction=True)
SOCKETS = 50


@pytest.fixture(autouse=True)
async def _desk():
    Desk.clear()
    yield
    await settled()


def threads():
    """Return those that are not of the pool, whose number the settings bound."""
    names = [thread.name for thread in threading.enumerate()]
    workers = [name for name in names if name.startswith("live-worker")]
    assert len(workers) <= sum(map(size_of, Pool))
    return sorted(set(names) - set(workers))


def channels():
    """Return the channels that are open on this loop's layer, and the members of its groups."""
    room = get_channel_layer()._room()
    return set(room.channels), {name: set(members) for name, members in room.groups.items()}


async def taken():
    """Return what is taken once nothing is going on: tasks, threads, channels."""
    await settled()
    loop = asyncio.get_running_loop()
    await until(lambda: not [task for task in session._unfinished if task.get_loop() is loop])
    return len(asyncio.all_tasks()), threads(), channels()


async def test_subscriptions_take_no_channel_no_thread_and_no_task():
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connect()) for _ in range(SOCKETS)]
        # The first of all starts what is there once in a process.
        assert await wires[0].subscribe(NOTES, "first") == []
        await write("first")
        assert await read(wires[0], 1) == ["first"]
        before = await taken()
        for wire in wires:
            assert await wire.subscribe(NOTES, "shared") == []
            assert await wire.subscribe(OWN_NOTES, "own") == []
        assert await taken() == before
        await write("shared")
        await write("own", kind=OnOwnNote)
        assert await read(wires[-1], 2) == ["shared", "own"]
        await until(lambda: len(asyncio.all_tasks()) == before[0])
        assert await taken() == before
        assert len(before[2][0]) == 1  # the hub's, for all sockets
