"""Installations, and clerks beside them, for all tests here."""

import pytest_asyncio

from tests.conftest import require_program
from tests.e2e.faults.clerks import clerks
from tests.e2e.faults.installation import Installation, open_folder
from tests.e2e.programs import missing
from tests.e2e.services import postgres_binaries


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def pair():
    """A uvicorn and a gunicorn worker that share a PostgreSQL and a Redis."""
    require_program("redis-server", "redis-server")
    if postgres_binaries() is None:
        missing("PostgreSQL: apt-get install postgresql")
    with open_folder() as folder:
        installed = Installation(folder, ("uvicorn", "gunicorn"), services=True)
        async with installed.run():
            yield installed


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def pair_staff(pair):
    """An observer, one to be killed, and two writers."""
    async with clerks(pair.environment, 4) as hired:
        yield hired


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def single():
    """A Daphne on SQLite, with nothing beside it."""
    with open_folder() as folder:
        installed = Installation(folder, ("daphne",), services=False)
        async with installed.run():
            yield installed


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def single_staff(single):
    """The same, with one writer: SQLite has one at a time."""
    async with clerks(single.environment, 3) as hired:
        yield hired
