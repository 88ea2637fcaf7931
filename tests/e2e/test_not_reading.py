"""A client that stops reading, on each server: it costs little memory, and loses nothing."""

import asyncio
import json
import re

import pytest

from tests.e2e.clients import TIMEOUT, Client, Closed
from tests.e2e.servers import CROWD, Server

# About 9 MB in all: more than the kernel's buffers on both sides hold.
EVENTS = 3000
REASON = "r" * 500
ON_LARGE = (
    "subscription ($after: String) { onNewPatient(after: $after) { cursor patient { externalId "
    + " ".join(f"reason{number}: reason" for number in range(6))
    + " } } }"
)
WRITE = """
from patients.models import DiseaseCategory, Patient
category = DiseaseCategory.objects.get(code="I")
Patient.objects.bulk_create([
    Patient(name="Ada", category=category, reason={reason!r}, external_id=str(number))
    for number in range({first}, {first} + {count})
])
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a server of a kind, with settings of LIVE."""
    servers = []

    def start(kind, **settings):
        environment = {"LIVE": json.dumps({**CROWD, **settings})}
        servers.append(Server(tmp_path, kind, environment).prepare().start())
        return servers[0]

    yield start
    for server in servers:
        server.stop()


async def write(server, first, count):
    code = WRITE.format(reason=REASON, first=first, count=count)
    await asyncio.to_thread(server.shell, code)


async def patient(events):
    """Return the number of the next patient that the client is told of."""
    return int((await events.next())["onNewPatient"]["patient"]["externalId"])


async def until_metric(server, name, value):
    async with Client(server, "demo") as staff, asyncio.timeout(TIMEOUT):
        while await metric(staff, name) != value:  # noqa: ASYNC110  another process tells
            await asyncio.sleep(0.05)


async def metric(staff, name):
    async with staff.http.get(f"http://{staff.server.host}/metrics") as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", await answer.text(), re.MULTILINE)
    return float(found.group(1)) if found else None


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
async def test_who_reads_on_later_has_missed_nothing(start, kind):
    server = start(kind)
    async with Client(server, "nurse") as client:
        events = await client.subscribe(ON_LARGE)
        client.ws._conn.transport.pause_reading()
        await write(server, 0, EVENTS)
        # It was left behind, so nothing waits for it but the log.
        await until_metric(server, "wardcast_replaying", 1)
        client.ws._conn.transport.resume_reading()
        assert [await patient(events) for _ in range(EVENTS)] == list(range(EVENTS))
        await write(server, EVENTS, 1)
        assert await patient(events) == EVENTS


async def until_closed(events):
    """Yield what still came before the close, each as (number, cursor)."""
    try:
        while True:
            event = (await events.next())["onNewPatient"]
            yield int(event["patient"]["externalId"]), event["cursor"]
    except Closed:
        return


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
async def test_who_reads_no_more_is_closed_after_a_while_and_comes_back_to_the_rest(start, kind):
    server = start(kind, SLOW_CLIENT_SECONDS=1)
    async with Client(server, "nurse") as client:
        events = await client.subscribe(ON_LARGE)
        client.ws._conn.transport.pause_reading()
        await write(server, 0, EVENTS)
        await until_metric(server, 'wardcast_closes_total{code="4411"}', 1)
        await until_metric(server, "wardcast_subscriptions", 0)
        client.ws._conn.transport.resume_reading()
        came = [event async for event in until_closed(events)]
    assert 0 < len(came) < EVENTS
    numbers, (_, cursor) = [number for number, _ in came], came[-1]
    async with Client(server, "nurse") as client:
        events = await client.subscribe(ON_LARGE, after=cursor)
        await write(server, EVENTS, 1)
        while numbers[-1] != EVENTS:
            numbers.append(await patient(events))
        assert numbers == list(range(EVENTS + 1))
        assert events.pending() == []


async def pongs_for_ever(client):
    """Send pongs, which raises once the server's end of the connection is gone."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            await client.ws.pong()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["daphne", "gunicorn"])
async def test_the_connection_of_who_reads_no_more_ends_too(start, kind):
    server = start(kind, SLOW_CLIENT_SECONDS=1)
    async with Client(server, "nurse") as client:
        await client.subscribe(ON_LARGE)
        client.ws._conn.transport.pause_reading()
        await write(server, 0, EVENTS)
        with pytest.raises(ConnectionError):
            await pongs_for_ever(client)
