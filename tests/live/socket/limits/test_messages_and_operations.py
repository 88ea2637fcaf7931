"""Messages, operations, subscriptions and sockets: at the limit, and one past it."""

import asyncio
import json

import pytest

from live.conf import DEFAULTS
from tests.live.socket.limits import limited
from tests.live.socket.limits.limited import (
    AMPLE,
    CONSUMER,
    TICKS,
    counted,
    post,
)
from tests.live.wire import SUBPROTOCOLS, Wire, codes

# ---- messages


def message_of(size):
    """Return a query in a message of exactly `size` bytes."""
    shell = json.dumps({"id": "1", "type": "subscribe", "payload": {"query": "{ fast } #"}})
    return shell[:-3] + "é" * ((size - len(shell)) // 2) + "x" * ((size - len(shell)) % 2) + '"}}'


@pytest.mark.parametrize("most", [1000, None])
async def test_message_bytes(limit, most):
    if most:
        limit(MAX_MESSAGE_BYTES=most)
    most = most or DEFAULTS["MAX_MESSAGE_BYTES"]
    before = counted("message_bytes")
    async with Wire(CONSUMER) as wire:
        assert len(message_of(most).encode()) == most
        await wire.send_text(message_of(most))
        assert (await wire.receive())["payload"] == {"data": {"fast": 1}}
        assert counted("message_bytes") == before
        await wire.send_text(message_of(most + 1))
        assert (await wire.ended()).code == 4413
    assert counted("message_bytes") == before + 1


async def test_body_bytes(limit):
    limit(MAX_MESSAGE_BYTES=100)
    before = counted("message_bytes")
    shell = len(json.dumps({"query": "{ fast } #"}))
    assert (await post("{ fast } #" + "x" * (100 - shell))).status_code == 200
    assert counted("message_bytes") == before
    assert (await post("{ fast } #" + "x" * (101 - shell))).status_code == 413
    assert counted("message_bytes") == before + 1


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_messages_at_once(limit, subprotocol):
    # So slow a refill that the test's own time does not matter.
    limit(MESSAGES_PER_SECOND=0.001, MESSAGES_AT_ONCE=3)
    before = counted("messages_per_second")
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:  # the first: connection_init
        assert codes(await wire.ask("{ fast }")) == []
        assert codes(await wire.ask("{ fast }")) == []
        assert counted("messages_per_second") == before
        await wire.start("{ fast }")
        assert (await wire.ended()).code == 4429
    assert counted("messages_per_second") == before + 1


async def test_messages_a_second_come_back(limit):
    limit(MESSAGES_PER_SECOND=1000, MESSAGES_AT_ONCE=2)
    async with Wire(CONSUMER) as wire:
        for _ in range(20):
            assert codes(await wire.ask("{ fast }")) == []
            await asyncio.sleep(0.005)  # the refill itself is what is tested


# ---- operations, subscriptions, sockets


async def test_operations_on_a_socket(limit):
    limit(MAX_OPERATIONS_PER_SOCKET=3, OPERATION_TIMEOUT=10)
    before = counted("operations_per_socket")
    async with Wire(CONSUMER) as wire:
        for n in range(3):
            await wire.start("{ never }", f"never {n}")
        for _ in range(3):
            await asyncio.wait_for(limited.BEGUN.acquire(), AMPLE)
        assert counted("operations_per_socket") == before
        assert codes(await wire.ask("{ fast }", "late")) == ["TOO_MANY_OPERATIONS"]
        assert counted("operations_per_socket") == before + 1
    async with Wire(CONSUMER) as other:
        assert codes(await other.ask("{ fast }")) == []


async def test_subscriptions_do_not_count_as_operations(limit):
    limit(MAX_OPERATIONS_PER_SOCKET=2)
    async with Wire(CONSUMER) as wire:
        for n in range(5):
            assert await wire.subscribe(TICKS, str(n)) == []


async def test_operations_sent_at_once_count_without_the_subscriptions_among_them(limit):
    limit(MAX_OPERATIONS_PER_SOCKET=3, OPERATION_TIMEOUT=10)
    async with Wire(CONSUMER) as wire:
        for n in range(5):
            await wire.start(TICKS, f"tick {n}")
            await wire.start("{ never }", f"never {n}")
        messages = [await wire.receive() for _ in range(7)]
        taken = {message["id"] for message in messages if message["type"] == "next"}
        refused = [wire.errors_in(each) for each in messages if each["type"] == "error"]
        assert taken == {f"tick {n}" for n in range(5)}
        assert [codes({"errors": each}) for each in refused] == [["TOO_MANY_OPERATIONS"]] * 2


async def test_who_comes_back_may_subscribe_to_all_it_watches_at_once():
    """By the defaults, and without waiting for any answer."""
    most = DEFAULTS["MAX_SUBSCRIPTIONS_PER_SOCKET"]
    assert most > DEFAULTS["MAX_OPERATIONS_PER_SOCKET"]
    async with Wire(CONSUMER) as wire:
        assert await wire.subscribe(TICKS, "parsed") == []
        await wire.send(id="parsed", type="complete")
        for n in range(most):
            await wire.start(TICKS, str(n))
        messages = [await wire.receive() for _ in range(most)]
        assert {message["id"] for message in messages} == {str(n) for n in range(most)}
        assert {message["type"] for message in messages} == {"next"}


async def test_subscriptions_of_a_socket(limit):
    limit(MAX_SUBSCRIPTIONS_PER_SOCKET=3)
    before = counted("subscriptions_per_socket")
    async with Wire(CONSUMER) as wire, Wire(CONSUMER) as other:
        for n in range(3):
            assert await wire.subscribe(TICKS, str(n)) == []
        assert counted("subscriptions_per_socket") == before
        assert await wire.subscribe(TICKS, "one more") == ["TOO_MANY_SUBSCRIPTIONS"]
        assert counted("subscriptions_per_socket") == before + 1
        assert await other.subscribe(TICKS) == []
        await wire.send(id="0", type="complete")
        assert await wire.subscribe(TICKS, "again") == []


async def test_subscriptions_started_at_once_count_too(limit):
    limit(MAX_SUBSCRIPTIONS_PER_SOCKET=3)
    async with Wire(CONSUMER) as wire:
        for n in range(10):
            await wire.start(TICKS, str(n))
        kinds = [(await wire.receive())["type"] for _ in range(10)]
        assert sorted(kinds) == ["error"] * 7 + ["next"] * 3


async def test_subscriptions_of_a_user(limit, nurse, visitor):
    limit(MAX_SUBSCRIPTIONS_PER_USER=3)
    before = counted("subscriptions_per_user")
    async with Wire(CONSUMER, nurse) as one, Wire(CONSUMER, nurse) as two:
        assert await one.subscribe(TICKS, "1") == []
        assert await one.subscribe(TICKS, "2") == []
        assert await two.subscribe(TICKS, "1") == []
        assert counted("subscriptions_per_user") == before
        assert await two.subscribe(TICKS, "2") == ["TOO_MANY_SUBSCRIPTIONS"]
        assert counted("subscriptions_per_user") == before + 1
        async with Wire(CONSUMER, visitor) as other:
            assert await other.subscribe(TICKS) == []


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_sockets_of_a_user(limit, nurse, visitor, subprotocol):
    limit(MAX_SOCKETS_PER_USER=2)
    before = counted("sockets_per_user")
    async with Wire(CONSUMER, nurse), Wire(CONSUMER, nurse):
        assert counted("sockets_per_user") == before
        async with Wire(CONSUMER, nurse, subprotocol, init=False) as third:
            await third.send(type="connection_init")
            assert (await third.ended()).code == 4403
        assert counted("sockets_per_user") == before + 1
        async with Wire(CONSUMER, visitor), Wire(CONSUMER), Wire(CONSUMER), Wire(CONSUMER):
            pass
    async with Wire(CONSUMER, nurse), Wire(CONSUMER, nurse):
        pass


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_anonymous_sockets_of_an_address(limit, nurse, subprotocol):
    limit(MAX_ANONYMOUS_SOCKETS_PER_ADDRESS=2)
    before = counted("anonymous_sockets")
    async with Wire(CONSUMER), Wire(CONSUMER):
        with pytest.raises(AssertionError):
            async with Wire(CONSUMER, subprotocol=subprotocol):
                pass
        assert counted("anonymous_sockets") == before + 1
        async with Wire(CONSUMER, nurse, subprotocol):
            pass  # who is logged in has a bound of its own
    async with Wire(CONSUMER), Wire(CONSUMER):
        pass
