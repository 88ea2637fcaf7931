"""A task that is given something to await awaits it, however early it is cancelled."""

import asyncio
import gc
import warnings

import pytest

from live.concurrency.begun_task import BegunTask
from live.fanout.cohort import Cohort
from tests.live.engine import until
from tests.live.notes import OWN_NOTES, OnOwnNote, connect
from tests.live.stage import settled


async def await_it(given):
    return await given


async def answer():
    await asyncio.sleep(0)
    return 42


async def test_what_it_was_given_is_begun_before_it_is_cancelled():
    begun = []

    async def given():
        begun.append(True)
        await asyncio.Event().wait()

    task = BegunTask(await_it(given()), loop=asyncio.get_running_loop())
    assert task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun == [True]


async def test_it_is_a_task():
    assert await BegunTask(await_it(answer()), loop=asyncio.get_running_loop()) == 42


@pytest.mark.django_db(transaction=True)
async def test_a_subscription_that_ends_while_publish_is_called_leaves_nothing(monkeypatch):
    """Its client completes it in the same turn of the loop in which an event has come."""
    take, ended = Cohort.take, []

    def take_and_end(cohort, event):
        members = list(cohort.live)
        take(cohort, event)
        for member in members:
            member.receiver.stop()
            ended.append(member)

    monkeypatch.setattr(Cohort, "take", take_and_end)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with connect() as wire:
            assert await wire.subscribe(OWN_NOTES) == []
            await OnOwnNote.broadcast_async(payload="missed")
            await until(lambda: ended)
            await settled()
        gc.collect()
    assert [str(warning.message) for warning in warned] == []


def test_a_loop_that_closes_leaves_nothing_that_was_never_awaited():
    async def leave():
        BegunTask(await_it(answer()), loop=asyncio.get_running_loop())

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        asyncio.run(leave())
        gc.collect()
    assert [str(warning.message) for warning in warned] == []
