"""What a client's own requests take in memory, while they run and as subscriptions, is bounded."""

import asyncio
import json

import pytest

from live.socket.daphne import Reading
from live.socket.intake import BYTES_PER_VALUE, SHORT, Intake, weight
from tests.live.engine import turns
from tests.live.socket.limits.limited import CONSUMER, GATE, TICKS, counted
from tests.live.socket.test_send_queue import Server, make
from tests.live.wire import Wire, codes

# ---- running (INBOX_BYTES)


class Read(Reading):
    """Remembers whether it reads."""

    is_on = True

    def pause_reading(self):
        self.is_on = False

    def resume_reading(self):
        self.is_on = True


def test_brackets_and_emojis_weigh_what_they_become():
    assert weight("[" * 10) == 10
    assert weight("x" * SHORT) == SHORT
    assert weight("[" * SHORT) == SHORT * (1 + BYTES_PER_VALUE)
    assert weight("😀" + "x" * SHORT) == 4 * (SHORT + 1)


async def test_nothing_is_read_while_requests_take_too_much(limit):
    limit(INBOX_BYTES=100)
    queue, _ = make(Server())
    reading = Read()
    intake = Intake(queue, reading)
    intake.begin(60)
    await asyncio.wait_for(intake.ready(), 20)
    intake.begin(60)
    ready = asyncio.ensure_future(intake.ready())
    await turns()
    assert not ready.done()
    assert intake.is_paused
    assert not reading.is_on
    intake.end(60)
    await asyncio.wait_for(ready, 20)
    assert reading.is_on
    assert not intake.is_paused


async def test_the_next_request_is_taken_when_the_large_one_is_done(limit):
    limit(INBOX_BYTES=100)
    GATE.clear()
    async with Wire(CONSUMER) as wire:
        await wire.start("{ blocked } #" + "x" * 200, "large")
        await wire.start("{ fast }", "next")
        await turns()
        GATE.set()
        ended = [m["id"] for m in [await wire.receive() for _ in range(4)] if m["type"] == "next"]
    assert ended == ["large", "next"]


async def test_others_are_not_held_up_meanwhile(limit):
    limit(INBOX_BYTES=100)
    GATE.clear()
    try:
        async with Wire(CONSUMER) as wire, Wire(CONSUMER) as other:
            await wire.start("{ blocked } #" + "x" * 200, "large")
            assert codes(await other.ask("{ fast }")) == []
            GATE.set()
            assert (await wire.receive())["id"] == "large"
    finally:
        GATE.set()


# ---- kept (MAX_SUBSCRIPTION_BYTES_PER_USER)


@pytest.mark.parametrize("is_logged_in", [True, False])
async def test_bytes_of_subscriptions(limit, nurse, is_logged_in):
    limit(MAX_SUBSCRIPTION_BYTES_PER_USER=1000)
    before = counted("subscription_bytes_per_user")
    async with Wire(CONSUMER, nurse if is_logged_in else None) as wire:
        assert await wire.subscribe(TICKS, "a" * 200) == []
        assert await wire.subscribe(TICKS, "b" * 200) == ["TOO_MANY_SUBSCRIPTIONS"]
        assert counted("subscription_bytes_per_user") == before + 1
        await wire.send(id="a" * 200, type="complete")
        assert await wire.subscribe(TICKS, "b" * 200) == []


async def test_bytes_of_a_users_subscriptions_count_on_all_its_sockets(limit, nurse, visitor):
    limit(MAX_SUBSCRIPTION_BYTES_PER_USER=1000)
    async with Wire(CONSUMER, nurse) as one, Wire(CONSUMER, nurse) as two:
        assert await one.subscribe(TICKS, "a" * 200) == []
        assert await two.subscribe(TICKS, "b" * 200) == ["TOO_MANY_SUBSCRIPTIONS"]
        async with Wire(CONSUMER, visitor) as other:
            assert await other.subscribe(TICKS, "b" * 200) == []
    async with Wire(CONSUMER, nurse) as again:
        assert await again.subscribe(TICKS, "a" * 200) == []


async def test_variables_that_are_not_declared_are_not_kept(limit):
    limit(MAX_SUBSCRIPTION_BYTES_PER_USER=1000)
    junk = json.loads("[" + "[]," * 1000 + "1]")
    async with Wire(CONSUMER) as wire:
        for number in range(5):
            assert await wire.subscribe(TICKS, str(number), junk=junk) == []
