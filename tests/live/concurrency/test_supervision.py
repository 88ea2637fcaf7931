"""A background task that fails is reported, counted, and started again."""

import asyncio

import pytest

from live import metrics
from live.concurrency import supervision
from live.concurrency.supervision import keep_running
from live.fanout.follower import Follower
from live.fanout.housekeeping import Housekeeping
from live.fanout.listener import Listener
from tests.live.notes import NOTES, Desk, OnNote, connect

SECRET = "Ada Lovelace"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(supervision, "FIRST_DELAY_SECONDS", 0.001)


def restarts(task):
    return metrics.restarts.labels(task=task)._value.get()


async def test_it_starts_again_and_says_so_without_the_text(caplog):
    tries, runs = [], asyncio.Event()

    async def work():
        tries.append(True)
        if len(tries) == 1:
            raise RuntimeError(SECRET)
        if len(tries) == 2:
            return
        runs.set()
        await asyncio.Event().wait()

    before = restarts("test")
    task = asyncio.create_task(keep_running("test", work))
    async with asyncio.timeout(5):
        await runs.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert restarts("test") == before + 2
    assert "The task 'test' failed, and starts again: RuntimeError" in caplog.text
    assert "The task 'test' ended, and starts again" in caplog.text
    assert SECRET not in caplog.text


async def test_it_starts_again_where_what_it_waited_for_was_cancelled(caplog):
    loop = asyncio.get_running_loop()
    waits_for, runs = [loop.create_future()], asyncio.Event()

    async def work():
        if waits_for:
            await waits_for.pop()
        runs.set()
        await asyncio.Event().wait()

    [other] = waits_for
    loop.call_later(0.001, other.cancel)
    before = restarts("test")
    task = asyncio.create_task(keep_running("test", work))
    async with asyncio.timeout(5):
        await runs.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert restarts("test") == before + 1
    assert "The task 'test' failed, and starts again: CancelledError" in caplog.text


@pytest.mark.django_db(transaction=True)
async def test_events_come_after_the_hubs_tasks_have_failed(monkeypatch, caplog):
    Desk.clear()
    failures = set()

    def failing_once(name, work):
        async def run(*args):
            if name not in failures:
                failures.add(name)
                raise TypeError(SECRET)
            await work(*args)

        return run

    for name in ("beat_for_ever", "check_identities_for_ever"):
        work = getattr(Housekeeping, name)
        monkeypatch.setattr(Housekeeping, name, failing_once(name, work))
    listen = Listener.listen
    monkeypatch.setattr(Listener, "listen", failing_once("listen", listen))
    follow = Follower.follow
    monkeypatch.setattr("live.fanout.follower.Follower.follow", failing_once("follow", follow))
    async with connect() as wire:
        assert await wire.subscribe(NOTES) == []
        await OnNote.broadcast_async(payload="told all the same")
        assert (await wire.event())["event"]["text"] == "told all the same"
    assert failures == {"beat_for_ever", "check_identities_for_ever", "listen", "follow"}
    assert SECRET not in caplog.text
