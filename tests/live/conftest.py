"""What the engine's tests share: a stage for their hooks, and each test in both subprotocols."""

import pytest

from live.protocol import SUBPROTOCOLS


@pytest.fixture
def stage():
    """Return a new stage, on which the hooks of tests/live/stage.py play."""
    from tests.live.stage import Plays, Stage

    Plays.stage = Stage()
    return Plays.stage


@pytest.fixture(params=SUBPROTOCOLS)
def subprotocol(request):
    """Run the test in each subprotocol."""
    return request.param
