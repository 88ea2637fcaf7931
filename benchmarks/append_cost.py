"""The log's part of the mutation createPatient, run as a socket runs it; prints JSON.

`python -m benchmarks.append_cost PATIENTS`, with DATABASE_URL in its environment: of a
database that has been migrated.
"""

# ruff: noqa: E402  the apps must be loaded before what uses them is imported
import asyncio
import itertools
import json
import os
import sys
import time
from unittest.mock import patch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")

import django

django.setup()

from django.contrib.auth.models import User

from live.context import Context
from live.execution.execution import Request, prepare, run
from live.execution.resolvers import WorkerThreads
from live.identity.rate_limits import client_of
from live.log import numbering
from live.log.announcer import announcer
from live.log.cursor import Cursor
from live.log.entry import Entry, Numbered
from server.schema import schema

# With and without take turns, so that whatever else the machine does meets both.
BLOCK = 25

_numbers = itertools.count(1)
# In the database, since the patients' histories name who registered them.
_doctor = User.objects.get_or_create(username="doctor", is_superuser=True)[0]
_client = client_of({"user": _doctor})
_middleware = WorkerThreads()


def without_log(entries: list[Entry]) -> Numbered:
    """Stand in for live.log.numbering: the broadcast goes on as if it had been appended."""
    return Numbered(Cursor(0, next(_numbers)), [entry.packed for entry in entries])


MUTATION = """mutation ($input: CreatePatientMutationInput!) {
  createPatient(input: $input) { patient { id name } errors { field messages } }
}"""
REQUEST = Request(MUTATION, variables={"input": {"name": "Patient", "category": "I"}})


def create(count: int) -> tuple[float, float]:
    """Run createPatient, and wait until all is sent; return CPU seconds and seconds."""
    cpu, start = time.process_time(), time.perf_counter()
    asyncio.run(_create(count))
    announcer().flush()
    return time.process_time() - cpu, time.perf_counter() - start


async def _create(count: int) -> None:
    connection = {"user": _doctor, "language": "en"}
    context = Context.of_operation(connection, None, scope={})
    for _ in range(count):
        document = await prepare(schema, MUTATION, _client)
        result = await run(schema, document, REQUEST, context, _middleware)
        assert not result.errors, result.errors
        payload = (result.data or {})["createPatient"]
        assert not payload["errors"], payload


def measure(patients: int) -> dict[str, list[float]]:
    """Return {"with": [CPU, elapsed], "without": …}, in microseconds for each patient."""
    create(2 * BLOCK)
    sums = {"with": [0.0, 0.0], "without": [0.0, 0.0]}
    blocks = max(1, patients // BLOCK)
    for _ in range(blocks):
        _add(sums["with"], create(BLOCK))
        with patch.object(numbering, "append", without_log):
            _add(sums["without"], create(BLOCK))
    each = 1e6 / (blocks * BLOCK)
    return {how: [value * each for value in values] for how, values in sums.items()}


def _add(sums: list[float], values: tuple[float, float]) -> None:
    sums[:] = [total + value for total, value in zip(sums, values, strict=True)]


if __name__ == "__main__":
    json.dump(measure(int(sys.argv[1])), sys.stdout)
