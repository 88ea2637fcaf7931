"""What Redis is shown of patients: with BROADCAST "doorbell" nothing, and the events come."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from tests.e2e.clients import TIMEOUT, Client
from tests.e2e.together import CREATE, WATCH, names_until, register, servers_together

SECRET = "Zebedee"
LAST = f"{SECRET} last"


@pytest.fixture(params=["doorbell", "events"])
def broadcast(request):
    return request.param


@pytest.fixture
def pair(broadcast):
    """Two processes that share a database and a Redis."""
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


async def test_doorbells_show_redis_no_patient_and_all_are_told(pair, broadcast):
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
    assert "live.log" in seen  # Redis was what told the other process
    # What "events" show it makes sure that the name would be seen.
    assert (SECRET in seen) == (broadcast == "events")
