"""What the engine's tests share: a stage for their hooks, and each test in both subprotocols."""

import contextlib
import functools

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


@pytest.fixture
async def sockets(transactional_db):
    """Return a function that opens a socket of a ward (tests/live/wards.py); all are closed."""
    from tests.live.stage import settled
    from tests.live.wards import Record, connect

    Record.begin()
    async with contextlib.AsyncExitStack() as stack:
        yield functools.partial(connect, stack)
    await settled()
