"""What the engine's tests share: a stage for their hooks, and each test in both subprotocols."""

import asyncio
import contextlib
import functools

import pytest

from live.socket.protocol import SUBPROTOCOLS


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
def quick(settings, monkeypatch):
    """Look at sockets' times and identities without long waits."""
    monkeypatch.setattr("live.fanout.housekeeping.BEAT_SECONDS", 0.01)
    settings.LIVE = {"RECHECK_EVERY": 0.02}


@pytest.fixture
async def sockets(transactional_db):
    """Return a function that opens a socket of a ward (tests/live/wards.py); all are closed."""
    from tests.live.stage import settled
    from tests.live.wards import Record, connect

    Record.begin()
    async with contextlib.AsyncExitStack() as stack:
        yield functools.partial(connect, stack)
    await settled()


@pytest.fixture
def hold():
    """Return a function that holds a place of tests/live/secret.py."""
    from tests.live.secret import HELD, REACHED

    def hold_place(name):
        HELD[name], REACHED[name] = asyncio.Event(), asyncio.Event()

    yield hold_place
    HELD.clear()
    REACHED.clear()


@pytest.fixture
def held_look(monkeypatch):
    """Return a function that holds looks at users' rights, until its second event is set."""
    from live.identity import identify

    def hold_looks():
        loop, asked, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        real = identify.present_user

        def slow(scope):
            loop.call_soon_threadsafe(asked.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
            return real(scope)

        monkeypatch.setattr(identify, "present_user", slow)
        return asked, go_on

    return hold_looks


@pytest.fixture
def unsent(monkeypatch):
    """The messages to the hubs, none of which the channel layer gets."""
    from live.log import announcer

    messages = []

    class Announcer:
        put = messages.append

    monkeypatch.setattr(announcer, "announcer", Announcer)
    return messages
