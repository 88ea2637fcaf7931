"""Nobody who was logged out gets events because the server is too busy to find that out."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from live.concurrency.threads import Pool, in_worker_thread, size_of
from live.fanout import housekeeping
from tests.conftest import make_user
from tests.live.secret import SECRETS, Consumer, OnSecret, watching, within
from tests.live.wire import Wire

SECONDS = 20


@pytest.fixture
def user(transactional_db):
    return make_user("somebody", "view_patient")


@pytest.fixture
def gate():
    """What threads wait for; opened in the end."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.mark.usefixtures("quick")
async def test_busy_worker_threads_keep_no_look_waiting(user, gate):
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        await watching()
        pools = [pool for pool in (Pool.READS, Pool.WRITES) for _ in range(size_of(pool))]
        busy = [asyncio.create_task(in_worker_thread(gate.wait, pool)(SECONDS)) for pool in pools]
        # No signal tells of it, as of a session that expires.
        await sync_to_async(User.objects.filter(pk=user.pk).update)(is_active=False)
        assert (await wire.ended()).code == 4403
        gate.set()
        await asyncio.gather(*busy)


@pytest.mark.usefixtures("quick")
async def test_events_wait_where_no_look_has_come_to_an_end(user, gate, held_look, monkeypatch):
    monkeypatch.setattr(housekeeping, "GRACE_SECONDS", 0.05)
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        await watching()
        asked, go_on = held_look()
        monkeypatch.setattr(housekeeping, "find_ended", lambda held: gate.wait(SECONDS) and set())
        await within(SECONDS, asked)
        await OnSecret.broadcast_async(payload="one")
        seen = len(wire.frames)
        await wire.send(type="ping")
        assert (await wire.receive())["type"] == "pong"
        assert len(wire.frames) == seen + 1
        go_on.set()
        assert (await wire.event())["onSecret"]["value"] == "one"
