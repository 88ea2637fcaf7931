"""What the tests of the hub share."""

import pytest

from live.concurrency import scheduler


@pytest.fixture(autouse=True)
def _time_for_all(monkeypatch):
    """Let a piece of work be as long as it takes, on a machine that is busy too."""
    monkeypatch.setattr(scheduler, "LONGEST_SECONDS", 60)
