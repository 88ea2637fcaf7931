"""A crowd that comes back at once, as after a server's restart: they share what they read."""

import asyncio
import os
from contextlib import AsyncExitStack

import pytest
from asgiref.sync import sync_to_async
from django.db.backends.utils import CursorWrapper

from live.fanout import event_buffer
from live.log.append import one_batch
from live.log.cursor import Cursor, decode, encode
from live.models import Log, LoggedEvent
from tests.live.notes import NOTES, Desk, OnNote, connect, position, read_until, write
from tests.live.stage import settled

CROWD = 200 if os.environ.get("CI") == "true" else 1000
EVENTS = 120
PAGE = 30
PLENTY = 1_000_000

_LOOK, _READ = (f'SELECT "{model._meta.db_table}"' for model in (Log, LoggedEvent))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _desk():
    Desk.clear()
    yield
    await settled()


@pytest.fixture
def queries(monkeypatch):
    """The statements that any thread has run on the log."""
    seen, execute = [], CursorWrapper.execute

    def note(self, sql, params=None):
        if LoggedEvent._meta.db_table in sql or Log._meta.db_table in sql:
            seen.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", note)
    return seen


@sync_to_async
def write_batch(texts):
    """Broadcast in one batch."""
    with one_batch():
        for text in texts:
            OnNote.broadcast(payload=text)


async def come_back(stack, places):
    """Connect a socket for each place, and subscribe after it, all at once."""
    wires = [await stack.enter_async_context(connect()) for _ in places]
    await asyncio.gather(
        *(wire.start(NOTES, after=place) for wire, place in zip(wires, places, strict=True))
    )
    for wire in wires:
        assert (await wire.receive())["payload"] == {"data": None}
    return wires


async def everyone_has(wires, places):
    """Assert that each got all after its place, once and in order, and then "last"."""
    total = decode(await position()).number
    for wire, place in zip(wires, places, strict=True):
        numbers = [number for number, _ in await read_until(wire, "last")]
        assert numbers == list(range(decode(place).number + 1, total + 1))


@pytest.mark.parametrize("kept", [2000, 60], ids=["in memory", "in the database"])
async def test_a_crowd_shares_its_reads_and_its_runs(settings, monkeypatch, queries, kept):
    monkeypatch.setattr(event_buffer, "PAGE", PAGE)
    settings.LIVE = {
        "EVENTS_IN_MEMORY": kept,
        "MAX_ANONYMOUS_SOCKETS_PER_ADDRESS": PLENTY,
        "REQUESTS_AT_ONCE_OF_CLIENT": PLENTY,
        "CPU_SHARE_OF_CLIENT": PLENTY,  # all have one address, as no real crowd has
        "POLL_EVERY": 3600,
    }
    epoch = decode(await position()).epoch
    await write_batch(map(str, range(EVENTS)))
    # From many places, as they lost their sockets; most of them from one.
    places = [encode(Cursor(epoch, max(0, 50 - number))) for number in range(CROWD)]
    async with AsyncExitStack() as stack:
        # Who stays connected meanwhile keeps the hub at work.
        await come_back(stack, [await position()])
        queries.clear()
        wires = await come_back(stack, places)
        await write("last")
        await everyone_has(wires, places)
    looks = sum(sql.startswith(_LOOK) for sql in queries)
    reads = sum(sql.startswith(_READ) for sql in queries)
    pages = EVENTS // PAGE + 1
    # Alone, each would look once, read every page, and have each event run.
    assert looks <= CROWD // 10
    assert reads <= (2 * pages if kept > EVENTS else CROWD * pages // 4)
    assert len(Desk.runs) <= 2 * (EVENTS + 1)
