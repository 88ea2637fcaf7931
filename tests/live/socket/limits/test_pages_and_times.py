"""Rows of a page, and seconds: at the limit, and past it."""

import asyncio
import json
import time

import pytest
from django.test import AsyncClient
from prometheus_client import REGISTRY

from server.asgi import application
from tests.live.socket.limits.limited import (
    AMPLE,
    CONSUMER,
    GATE,
    TICKS,
    URL,
    counted,
    post,
)
from tests.live.wire import SUBPROTOCOLS, Wire, codes

# ---- pages


@pytest.mark.parametrize("argument", ["first", "last"])
async def test_rows_of_a_page(settings, limit, nurse, argument):
    settings.ROOT_URLCONF = "server.urls"
    limit(MAX_PAGE_SIZE=3)
    client = AsyncClient()
    await client.aforce_login(nurse)
    # A query by GET needs no CSRF token.
    before = counted("page_size")

    async def page(size):
        query = f"{{ patients({argument}: {size}) {{ totalCount }} }}"
        return (await client.get(URL, {"query": query})).json()

    assert await page(3) == {"data": {"patients": {"totalCount": 0}}}
    assert counted("page_size") == before
    answer = await page(4)
    assert codes(answer) == ["BAD_INPUT"]
    assert answer["errors"][0]["message"] == f"{argument} may be 3 at most."
    assert counted("page_size") == before + 1


# ---- times


@pytest.mark.parametrize("field", ["never", "blocked"])
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_seconds_for_an_operation(limit, subprotocol, field):
    before = counted("operation_timeout")
    GATE.clear()
    try:
        async with Wire(CONSUMER, subprotocol=subprotocol) as wire:
            limit(OPERATION_TIMEOUT=AMPLE)
            assert codes(await wire.ask("{ fast }")) == []
            assert counted("operation_timeout") == before
            limit(OPERATION_TIMEOUT=0.1)
            started = time.monotonic()
            assert codes(await wire.ask(f"{{ {field} }}")) == ["TIMEOUT"]
            assert time.monotonic() - started >= 0.1
            assert counted("operation_timeout") == before + 1
            limit(OPERATION_TIMEOUT=AMPLE)
            assert codes(await wire.ask("{ fast }")) == []
    finally:
        GATE.set()


@pytest.mark.parametrize("field", ["never", "blocked"])
async def test_seconds_for_an_operation_over_http(limit, field):
    limit(OPERATION_TIMEOUT=0.1)
    before = counted("operation_timeout")
    GATE.clear()
    try:
        accept = "application/graphql-response+json"
        response = await post(f"{{ {field} }}", accept=accept)
        assert (response.status_code, codes(response.json())) == (503, ["TIMEOUT"])
        assert counted("operation_timeout") == before + 1
        limit(OPERATION_TIMEOUT=AMPLE)
        assert (await post("{ fast }")).json() == {"data": {"fast": 1}}
    finally:
        GATE.set()


@pytest.mark.usefixtures("quick_pulse")
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_seconds_before_init(limit, subprotocol):
    limit(CONNECTION_INIT_WAIT_TIMEOUT=0.2)
    before = counted("init")
    async with Wire(CONSUMER, subprotocol=subprotocol) as in_time:
        started = time.monotonic()
        async with Wire(CONSUMER, subprotocol=subprotocol, init=False) as late:
            await late.send(type="ping")  # no other message counts for it
            assert (await late.ended()).code == 4408
            assert time.monotonic() - started >= 0.2
        assert counted("init") == before + 1
        assert codes(await in_time.ask("{ fast }")) == []


@pytest.mark.usefixtures("quick_pulse")
async def test_seconds_idle(limit):
    limit(IDLE_TIMEOUT=0.2)
    before = counted("idle")
    async with Wire(CONSUMER) as busy, Wire(CONSUMER) as idle:
        assert await busy.subscribe(TICKS) == []
        assert (await idle.ended()).code == 4410
        assert counted("idle") == before + 1
        assert codes(await busy.ask("{ fast }", "2")) == []


@pytest.mark.usefixtures("quick_pulse")
async def test_pings_without_an_answer(limit):
    limit(SEND_PING_EVERY=0.05)
    before = counted("pong")
    async with Wire(CONSUMER) as wire:
        assert (await wire.ended()).code == 4410
        assert [json.loads(frame)["type"] for frame in wire.frames[1:]] == ["ping", "ping"]
    assert counted("pong") == before + 1


@pytest.mark.usefixtures("quick_pulse")
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_seconds_in_which_nothing_is_taken(limit, subprotocol):
    """The server waits with a frame for a client that does not read; others go on."""
    limit(SLOW_CLIENT_SECONDS=0.2)
    before = counted("slow_client")
    closes = {"code": "4411"}
    closed = REGISTRY.get_sample_value("wardcast_closes_total", closes) or 0
    async with Wire(CONSUMER, subprotocol=subprotocol) as reading:
        async with Wire(stuck_after_ack, subprotocol=subprotocol) as stuck:
            started = time.monotonic()
            await stuck.start("{ fast }")
            assert (await stuck.ended()).code == 4411
            assert time.monotonic() - started >= 0.2
        assert counted("slow_client") == before + 1
        assert REGISTRY.get_sample_value("wardcast_closes_total", closes) == closed + 1
        assert codes(await reading.ask("{ fast }")) == []


async def stuck_after_ack(scope, receive, send):
    """Be the consumer on a connection that takes no more than two frames."""
    taken = 0

    async def take(event):
        nonlocal taken
        taken += event["type"] == "websocket.send"
        if taken > 2 and event["type"] == "websocket.send":
            await asyncio.Event().wait()
        await send(event)

    await CONSUMER(scope, receive, take)


async def test_log_ins_that_fail(settings, nurse):
    settings.ROOT_URLCONF = "server.urls"
    keys = list(settings.LOGIN_FAILURE_LIMITS)
    settings.LOGIN_FAILURE_LIMITS = dict(zip(keys, (2, 100, 100), strict=True))
    settings.AXES_FAILURE_LIMIT = 2
    login = 'mutation { login(username: "nobody", password: "x") { ok } }'
    before = counted("login_failures")
    async with Wire(application) as wire:
        assert codes(await wire.ask(login)) == []
        assert counted("login_failures") == before
        assert codes(await wire.ask(login)) == ["RATE_LIMITED"]
        assert counted("login_failures") == before + 1
