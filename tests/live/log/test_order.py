"""Order and hooks: what the library's interface promises of every subscription."""

import asyncio

import pytest
from graphql import MiddlewareManager

from live.concurrency.threads import in_worker_thread
from live.log import records
from live.log.append import write
from tests.live.engine import until
from tests.live.wards import (
    TICK,
    Consumer,
    OnClassMethods,
    OnMemory,
    OnOwn,
    OnPlainMethods,
    OnSync,
    OnTick,
    Record,
    field_of,
    in_thread,
    numbers,
)
from tests.live.wire import codes

# ---- order


async def test_an_event_in_two_groups_of_one_subscription_arrives_once(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, room="a", other="b") == []
    await OnTick.broadcast(group=["a", "b", "c"], payload=1)
    await OnTick.broadcast(payload=2)
    assert await numbers(client, 2) == [1, 2]
    assert len(Record.runs) == 2


async def test_order_holds_across_sync_and_async_senders_and_groups(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, room="a", other="b") == []
    for number in range(0, 60, 3):
        await OnTick.broadcast(group="a", payload=number)
        await in_thread(OnTick.broadcast, group="b", payload=number + 1)
        await in_thread(OnTick.broadcast_sync, payload=number + 2)
    assert await numbers(client, 60) == list(range(60))


async def test_order_holds_where_a_sender_does_not_wait(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    await asyncio.gather(*(OnTick.broadcast(group="a", payload=number) for number in range(60)))
    assert await numbers(client, 60) == list(range(60))


async def test_a_slow_publish_keeps_the_order(sockets):
    Record.gates["slow"] = asyncio.Event()
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload={"n": 1, "how": "slow"})
    await OnTick.broadcast(group="a", payload=2)
    await until(lambda: Record.runs)
    Record.gates["slow"].set()
    assert await numbers(client, 2) == [1, 2]


@pytest.mark.parametrize(("kind", "name"), [(OnSync, "live-worker"), (OnMemory, "MainThread")])
async def test_a_sync_publish_runs_in_a_thread_unless_it_reads_memory_only(sockets, kind, name):
    client = await sockets()
    assert await client.subscribe(f"subscription {{ {field_of(kind)} {{ n }} }}") == []
    for number in range(20):
        await kind.broadcast(payload=number)
    assert await numbers(client, 20) == list(range(20))
    assert all(thread.startswith(name) for thread in Record.threads)
    assert len(Record.threads) == 20


# ---- confirmation


async def test_what_is_broadcast_after_the_confirmation_is_never_missed(sockets):
    for number in range(30):
        client = await sockets()
        assert await client.subscribe(TICK, room=f"{number}") == []
        await in_thread(OnTick.broadcast, group=f"{number}", payload=number)
        assert await numbers(client, 1) == [number]


# ---- ends


async def unsubscribe_async(group):
    await OnTick.unsubscribe(group=group)


async def unsubscribe_in_thread(group):
    await in_thread(OnTick.unsubscribe, group=group)


async def unsubscribe_sync(group):
    await in_thread(OnTick.unsubscribe_sync, group=group)


@pytest.mark.parametrize(
    "unsubscribe", [unsubscribe_async, unsubscribe_in_thread, unsubscribe_sync]
)
@pytest.mark.parametrize("group", ["a", None])
async def test_unsubscribe_ends_a_groups_subscriptions_and_no_other(sockets, unsubscribe, group):
    one, other = await sockets(), await sockets()
    assert await one.subscribe(TICK, "1", room="a") == []
    assert await one.subscribe("subscription { onOwn { n } }", "own") == []
    assert await other.subscribe(TICK, "2", room="b") == []
    await unsubscribe(group)
    assert await one.receive() == {"type": "complete", "id": "1"}
    if group is None:
        assert await other.receive() == {"type": "complete", "id": "2"}
    await OnOwn.broadcast(payload=1)
    assert await numbers(one, 1) == [1]
    if group is not None:
        await OnTick.broadcast(payload=2)
        assert await numbers(other, 1) == [2]
    # The id is free again.
    assert await one.subscribe(TICK, "1", room="a") == []
    await OnTick.broadcast(group="a", payload=3)
    assert await numbers(one, 1) == [3]


@pytest.mark.parametrize(("kind", "name"), [(OnClassMethods, "class"), (OnPlainMethods, "plain")])
async def test_hooks_may_be_class_methods_or_plain_ones(sockets, kind, name):
    client = await sockets()
    assert await client.subscribe(f"subscription {{ {field_of(kind)} {{ n }} }}") == []
    await kind.broadcast(group=name, payload=7)
    assert await numbers(client, 1) == [7]
    await client.send(type="complete", id="1")
    await until(lambda: Record.ended == [name])


async def test_middleware_may_be_a_manager_as_the_readme_says(sockets):
    seen = []

    async def note(following, root, info, **arguments):
        seen.append(info.field_name)
        value = following(root, info, **arguments)
        return await value if asyncio.iscoroutine(value) else value

    class Managed(Consumer):
        middleware = MiddlewareManager(note)

    client = await sockets(consumer=Managed)
    assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    assert await numbers(client, 1) == [1]
    assert "onTick" in seen


async def test_a_payload_of_another_release_is_told_as_an_error(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    groups = OnTick.group_names("a")
    await in_worker_thread(write)(records.event(groups, b"\x09x"))
    message = await client.receive()
    assert (message["type"], codes(message["payload"])) == ("next", ["INTERNAL"])
    await OnTick.broadcast(group="a", payload=2)
    assert await numbers(client, 1) == [2]
