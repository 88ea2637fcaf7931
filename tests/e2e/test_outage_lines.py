"""What operators read while Redis or PostgreSQL is away: a line at first, and one at the end."""

import asyncio
import json
import re
from contextlib import AsyncExitStack

import pytest

from tests.conftest import require_program
from tests.e2e.clients import Client, Refused
from tests.e2e.faults.installation import open_folder
from tests.e2e.programs import missing
from tests.e2e.servers import CROWD, Server
from tests.e2e.services import Postgres, Redis, postgres_binaries, running
from tests.e2e.together import CREATE, WATCH, names_until

CLIENTS = 10
TIMES = 5
SECONDS = 60


@pytest.fixture(scope="module")
def installation():
    """A gunicorn worker, its PostgreSQL and its Redis."""
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    redis = Redis(require_program("redis-server", "redis-server"))
    with open_folder() as folder:
        postgres = Postgres(binaries, folder / "postgres")
        postgres.create()
        with running(redis), running(postgres):
            environment = {"REDIS_URL": redis.url, "DATABASE_URL": postgres.url}
            environment["LIVE"] = json.dumps(CROWD)
            server = Server(folder / "server", "gunicorn", environment).prepare().start()
            yield server, postgres, redis
            server.stop()


def lines(server):
    """Return the log's lines of WARNING and ERROR, without their times."""
    return re.findall(r"^\S+ \S+ ((?:WARNING|ERROR).*)", server.log, re.M)


async def logged(server, text):
    """Return once the log has `text`."""
    async with asyncio.timeout(SECONDS):
        while text not in server.log:  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(0.05)


async def codes(client):
    """Return the codes of the errors with which a query of patients is answered."""
    try:
        await client.execute("{ patients { totalCount } }")
    except Refused as refusal:
        return refusal.codes
    return []


async def refused(client):
    """Ask until the database that is asked for is away."""
    async with asyncio.timeout(SECONDS):
        while not (found := await codes(client)):
            pass
    assert found == ["UNAVAILABLE"]


async def test_each_outage_is_two_lines_however_many_meet_it(installation):
    server, postgres, redis = installation
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(server, "demo")) for _ in range(CLIENTS)]
        streams = [await client.subscribe(WATCH) for client in clients]

        async def all_hear(name):
            await clients[0].execute(CREATE, {"name": name})
            for stream in streams:
                assert (await names_until(stream, name))[-1] == name

        redis.stop()
        for number in range(TIMES):
            await all_hear(f"without Redis {number}")
        redis.start()
        await logged(server, "The channel layer is back")
        postgres.stop()
        for _ in range(TIMES):
            await asyncio.gather(*map(refused, clients))
        postgres.start()
        await logged(server, "The database is back")
        await all_hear("after all")

    found = [re.sub(r"\w*Error$", "…", line) for line in lines(server)]
    assert found == [
        "ERROR live.concurrency.outage: The channel layer is away: …",
        "WARNING live.concurrency.outage: The channel layer is back",
        "ERROR live.concurrency.outage: The database is away: …",
        "WARNING live.concurrency.outage: The database is back",
    ]
    assert "Traceback" not in server.log
