"""A writer that is stopped in its transaction holds up no reads; what timed out is not written.

On a real PostgreSQL: SQLite's writers wait for each other in any case.
"""

import asyncio
import json
import time

import psycopg
import pytest

from tests.e2e.clients import CREATE_PATIENT, Browser, Refused, data_of
from tests.e2e.faults.installation import open_folder
from tests.e2e.programs import missing
from tests.e2e.servers import CROWD, Server
from tests.e2e.services import postgres_binaries, postgres_server

OPERATION_TIMEOUT = 4
# A fraction of what it took when reads waited for writes: an operation's whole time, or for ever.
SOON = 2
WRITES = 30
PATIENTS = "{ patients(first: 1) { edges { node { name } } } me { username } }"


@pytest.fixture(scope="module")
def database_url():
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    with open_folder() as folder, postgres_server(binaries, folder) as url:
        yield url


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def held_up(request, database_url, tmp_path_factory):
    """A server whose log another writer has locked."""
    database = f"{request.param}_{time.time_ns()}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database}")
    url = database_url.rsplit("/", 1)[0] + f"/{database}"
    live = {**CROWD, "OPERATION_TIMEOUT": OPERATION_TIMEOUT}
    environment = {"DATABASE_URL": url, "LIVE": json.dumps(live)}
    server = Server(tmp_path_factory.mktemp("held"), request.param, environment)
    server.prepare().start()
    yield server, url
    server.stop()


async def test_reads_go_on_and_what_timed_out_is_not_written(held_up):
    server, url = held_up
    async with Browser(server, "demo") as clerk, Browser(server, "nurse") as nurse:
        await create(clerk, "first")
        with psycopg.connect(url) as stopped:
            stopped.execute("SELECT * FROM patients_diseasecategory FOR UPDATE")
            writes = [asyncio.create_task(create(clerk, f"late {n}")) for n in range(WRITES)]
            await until_some_wait(url)
            for _ in range(5):
                began = time.monotonic()
                data = data_of(await nurse.post(PATIENTS))
                assert time.monotonic() - began < SOON
                assert data["me"]["username"] == "nurse"
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {Refused}
            codes = {code for outcome in outcomes for code in outcome.codes}
            assert codes <= {"TIMEOUT", "UNAVAILABLE"}
        # Its lock is gone: those that had begun may be written now, the others never are.
        await create(clerk, "last")
        with psycopg.connect(url) as look:
            late = "SELECT count(*) FROM patients_patient WHERE name LIKE 'late%'"
            (written,) = look.execute(late).fetchone()
        assert written <= 2


async def create(clerk, name):
    answer = await clerk.post(CREATE_PATIENT, {"input": {"name": name, "category": "I"}})
    return data_of(answer)["createPatient"]["patient"]["id"]


async def until_some_wait(url):
    """Return when PostgreSQL has sessions that wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(url, autocommit=True) as look:
        async with asyncio.timeout(30):
            while not look.execute(waiting).fetchone()[0]:  # noqa: ASYNC110  no event for it
                await asyncio.sleep(0.05)
