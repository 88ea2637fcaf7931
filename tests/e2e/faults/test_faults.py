"""Whatever fails, each client has each committed event of its groups: once, in commit order."""

import pytest

from tests.e2e.faults import faults
from tests.e2e.faults.trial import trial
from tests.e2e.faults.verdict import CLEAN

pytestmark = pytest.mark.asyncio(loop_scope="package")

EVENTS = 90
CLIENTS = 20
SHORT = {"patience": 60, "rate": 100, "pace": 0}


async def check(installation, staff, name, fault):
    async with trial(installation, staff, CLIENTS, **SHORT) as running:
        phase = await running.under(name, fault, EVENTS)
        errors = await running.judged()
    assert errors == [], "the log does not say what was committed"
    assert (phase.verdict, running.foreign) == (CLEAN, [])
    assert phase.catch_up_seconds is not None
    assert phase.events >= EVENTS
    assert running.shortcomings == []
    assert running.refusals() == {}


@pytest.mark.parametrize("name", faults.SERVICES)
async def test_on_two_servers(pair, pair_staff, name):
    await check(pair, pair_staff, name, faults.SERVICES[name])


@pytest.mark.parametrize("name", faults.EMBEDDED)
async def test_on_one_server(single, single_staff, name):
    await check(single, single_staff, name, faults.EMBEDDED[name])
