"""What the tests of the follower share."""

import pytest

from live.fanout import follower
from tests.live.fake_log import FakeLog
from tests.live.fanout.follower.following import NEVER, Taken


@pytest.fixture
def log():
    return FakeLog()


@pytest.fixture
def taken():
    return Taken()


@pytest.fixture(autouse=True)
def _only_what_a_test_wants(settings, monkeypatch):
    """Neither look because of silence, nor because of what came too early."""
    settings.LIVE = {"POLL_EVERY": NEVER}
    monkeypatch.setattr(follower, "PATIENCE_SECONDS", NEVER)
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.001)
