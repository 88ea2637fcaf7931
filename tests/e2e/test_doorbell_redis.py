"""What Redis is shown of patients: nothing, unless it is asked for, and the events come."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from tests.e2e.clients import TIMEOUT, Client
from tests.e2e.together import CREATE, WATCH, names_until, register, servers_together

SECRET = "Zebedee"
LAST = f"{SECRET} last"


# How events are told, and whether that is encrypted; the last one is to show what is seen then.
@pytest.fixture(params=[("events", "on"), ("doorbell", "off"), ("events", "off")], ids="-".join)
def shown(request, monkeypatch):
    """Whether Redis is shown patients."""
    _, encrypted = request.param
    monkeypatch.setenv("ENCRYPT_REDIS", encrypted)
    return request.param == ("events", "off")


@pytest.fixture
def pair(request, shown):
    """Two processes that share a database and a Redis."""
    broadcast = request.node.callspec.params["shown"][0]
    with servers_together("daphne", "uvicorn", BROADCAST=broadcast) as servers:
        yield servers


class Monitor:
    """Sees every command that a Redis is given, from the moment it is entered."""

    def __init__(self, url):
        self._address = urlsplit(url).hostname, urlsplit(url).port

    @asynccontextmanager
    async def _connection(self):
        reader, writer = await asyncio.open_connection(*self._address, limit=2**24)
        try:
            yield reader, writer
        finally:
            writer.close()

    @asynccontextmanager
    async def watching(self):
        """Yield a function that returns all that Redis was given until it is called."""
        async with self._connection() as (reader, writer):
            writer.write(b"MONITOR\r\n")
            assert await reader.readline() == b"+OK\r\n"
            yield lambda: self._heard(reader)

    async def _heard(self, reader):
        async with self._connection() as (_, writer), asyncio.timeout(TIMEOUT):
            writer.write(b"ECHO all-seen\r\n")
            await writer.drain()
            return (await reader.readuntil(b'"all-seen"')).decode()


async def test_redis_is_shown_no_patient_and_all_are_told(pair, shown):
    first, second = pair
    monitor = Monitor(first.environment["REDIS_URL"])
    shelled = [f"{SECRET} {number}" for number in range(20)]
    asked = [f"{SECRET} asked {number}" for number in range(5)]
    async with (
        monitor.watching() as heard,
        Client(first, "nurse") as one,
        Client(second, "demo") as two,
    ):
        streams = [await one.subscribe(WATCH), await two.subscribe(WATCH)]
        for name in asked:
            await two.execute(CREATE, {"name": name})
        await asyncio.to_thread(register, first, *shelled, LAST)
        for stream in streams:
            assert await names_until(stream, LAST) == [*asked, *shelled, LAST]
            assert stream.pending() == []
        seen = await heard()
    assert "PUBLISH" in seen  # Redis was what told the other process
    # What is not encrypted makes sure that the name would be seen.
    assert (SECRET in seen) == shown
