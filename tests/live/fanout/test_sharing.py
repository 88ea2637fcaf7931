"""Who shares a run and who does not, and that a shared run has no client."""

import asyncio

import graphene
import pytest

from tests.live.wards import (
    REACHES,
    SECRET,
    TICK,
    Consumer,
    OnOwn,
    OnTick,
    Query,
    Record,
    Subscriptions,
    numbers,
)
from tests.live.wire import codes

# ---- who shares


async def test_equal_subscriptions_share_one_run(sockets):
    clients = [await sockets() for _ in range(3)]
    for number, client in enumerate(clients):
        # Equal whatever their order and their ids.
        pairs = [("room", "a"), ("other", "b")]
        variables = dict(pairs if number % 2 else reversed(pairs))
        assert await client.subscribe(TICK, f"id {number}", **variables) == []
    await OnTick.broadcast(group="a", payload=1)
    assert [await numbers(client, 1) for client in clients] == [[1]] * 3
    assert Record.runs == ["east"]


async def test_two_of_one_socket_share_too(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, "1", room="a") == []
    assert await client.subscribe(TICK, "2", room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    messages = [await client.receive(), await client.receive()]
    assert {message["id"] for message in messages} == {"1", "2"}
    assert Record.runs == ["east"]


@pytest.mark.parametrize(
    ("ward", "query", "variables"),
    [
        ("west", TICK, {"room": "a"}),
        ("east", TICK.replace("{ n }", "{ m: n n }"), {"room": "a"}),
        ("east", TICK.replace("$other: String", "$other: String = null"), {"room": "a"}),
        ("east", TICK, {"room": "a", "other": "b"}),
        ("east", TICK, {"room": "a", "other": None}),
    ],
)
async def test_others_have_their_own_run(sockets, ward, query, variables):
    one, other = await sockets(), await sockets(ward)
    assert await one.subscribe(TICK, room="a") == []
    assert await other.subscribe(query, **variables) == []
    await OnTick.broadcast(group="a", payload=1)
    assert [await numbers(one, 1), await numbers(other, 1)] == [[1], [1]]
    assert sorted(Record.runs) == sorted(["east", ward])


async def test_consumers_with_other_schemas_do_not_share(sockets):
    class Shouting(Consumer):
        schema = graphene.Schema(query=Query, subscription=Subscriptions)

    async def louder(following, root, info, **arguments):
        value = following(root, info, **arguments)
        value = await value if asyncio.iscoroutine(value) else value
        return value + 100 if isinstance(value, int) else value

    class Louder(Consumer):
        middleware = [louder]

    clients = [await sockets(consumer=kind) for kind in (Consumer, Shouting, Louder)]
    for client in clients:
        assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    assert [await numbers(client, 1) for client in clients] == [[1], [1], [101]]
    assert len(Record.runs) == 3


async def test_without_an_audience_each_has_a_run_and_a_context_of_its_own(sockets):
    one, other = await sockets("east"), await sockets("west")
    for client in (one, other):
        assert await client.subscribe("subscription { onOwn { n ward } }") == []
    await OnOwn.broadcast(payload=1)
    # What `subscribe` stored is there in `publish`.
    assert await one.event() == {"onOwn": {"n": 1, "ward": "east"}}
    assert await other.event() == {"onOwn": {"n": 1, "ward": "west"}}
    assert sorted(Record.runs) == ["east", "west"]


@pytest.mark.parametrize("how", sorted(REACHES))
async def test_a_shared_run_that_reaches_for_a_client_gets_an_error(sockets, how):
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload={"n": 1, "how": how})
    message = await client.receive()
    assert message["type"] == "next"
    assert codes(message["payload"]) == ["SHARED_CONTEXT"]


async def test_a_nested_field_of_a_shared_run_has_no_client_either(sockets):
    client = await sockets()
    query = TICK.replace("{ n }", "{ n nested }")
    assert await client.subscribe(query, room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    payload = (await client.receive())["payload"]
    assert payload["data"] == {"onTick": {"n": 1, "nested": None}}
    assert codes(payload) == ["SHARED_CONTEXT"]


async def test_an_error_of_one_run_is_masked_and_no_other_cohort_notices(sockets):
    one, other = await sockets("east"), await sockets("west")
    for client in (one, other):
        assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload={"n": 1, "how": "raise for east"})
    await OnTick.broadcast(group="a", payload=2)
    failed = await one.receive()
    assert failed["type"] == "next"
    assert codes(failed["payload"]) == ["INTERNAL"]
    assert await numbers(one, 1) == [2]
    assert await numbers(other, 2) == [1, 2]
    assert SECRET not in "".join(one.frames + other.frames)
