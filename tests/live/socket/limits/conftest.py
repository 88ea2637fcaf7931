"""What the tests of limits share."""

import asyncio

import pytest

from live.conf import DEFAULTS
from live.execution import execution
from live.fanout import housekeeping
from tests.live.socket.limits import limited


@pytest.fixture(autouse=True)
def _own_schema(settings, transactional_db):
    limited.BEGUN = asyncio.Semaphore(0)  # one loop's only
    settings.ROOT_URLCONF = limited.__name__
    # What was refused under another test's limits is remembered as refused.
    execution._documents.clear()


@pytest.fixture
def limit(settings):
    """Return a function that sets limits."""

    def set_limits(**values):
        assert values.keys() <= DEFAULTS.keys()
        settings.LIVE = values

    return set_limits


@pytest.fixture
def quick_pulse(monkeypatch):
    monkeypatch.setattr(housekeeping, "BEAT_SECONDS", 0.02)
