"""Look-ups made together: what waits goes in one, each gets its own answer."""

import asyncio

import pytest

from live.concurrency import loader
from live.concurrency.loader import Loader

TIMEOUT = 20


class Slow:
    """A look-up that waits for its gate, and notes what it was asked for."""

    def __init__(self):
        self.asked: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, keys):
        self.asked.append(keys)
        await self.gate.wait()
        if 13 in keys:
            raise RuntimeError("unlucky")
        return [key * 10 for key in keys]

    async def under_way(self, count):
        async with asyncio.timeout(TIMEOUT):
            while len(self.asked) < count:  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0)


async def answer(task):
    async with asyncio.timeout(TIMEOUT):
        return await task


async def test_what_is_asked_for_meanwhile_is_looked_up_together():
    look_up = Slow()
    keys_loader = Loader(look_up)
    first = asyncio.create_task(keys_loader.load(1))
    await look_up.under_way(1)
    others = [asyncio.create_task(keys_loader.load(key)) for key in (2, 3, 2)]
    await asyncio.sleep(0)
    assert look_up.asked == [[1]]
    look_up.gate.set()
    assert [await answer(task) for task in (first, *others)] == [10, 20, 30, 20]
    assert look_up.asked == [[1], [2, 3, 2]]


async def test_what_was_looked_up_is_not_remembered():
    look_up = Slow()
    look_up.gate.set()
    keys_loader = Loader(look_up)
    assert [await keys_loader.load(1), await keys_loader.load(1)] == [10, 10]
    assert look_up.asked == [[1], [1]]


async def test_a_crowd_is_looked_up_in_parts(monkeypatch):
    monkeypatch.setattr(loader, "MOST_IN_A_BATCH", 2)
    look_up = Slow()
    look_up.gate.set()
    keys_loader = Loader(look_up)
    assert await asyncio.gather(*map(keys_loader.load, range(5))) == [0, 10, 20, 30, 40]
    assert look_up.asked == [[0, 1], [2, 3], [4]]


async def test_an_error_reaches_all_who_asked_and_nobody_later():
    look_up = Slow()
    keys_loader = Loader(look_up)
    tasks = [asyncio.create_task(keys_loader.load(key)) for key in (1, 13)]
    await look_up.under_way(1)
    later = asyncio.create_task(keys_loader.load(2))
    await asyncio.sleep(0)
    look_up.gate.set()
    for task in tasks:
        with pytest.raises(RuntimeError, match="unlucky"):
            await answer(task)
    assert await answer(later) == 20


async def test_who_is_gone_does_not_keep_the_others_from_their_answer():
    look_up = Slow()
    keys_loader = Loader(look_up)
    gone, stays = (asyncio.create_task(keys_loader.load(key)) for key in (1, 2))
    await look_up.under_way(1)
    gone.cancel()
    look_up.gate.set()
    assert await answer(stays) == 20
    assert gone.cancelled() or await asyncio.wait([gone])


def test_one_loop_does_not_wait_for_another():
    """Tests, and servers that are started again in one process, have one loop after another."""
    look_up = Slow()
    keys_loader = Loader(look_up)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        asked = first.create_task(keys_loader.load(1))
        first.run_until_complete(look_up.under_way(1))
        stuck, look_up.gate = look_up.gate, asyncio.Event()
        look_up.gate.set()
        assert second.run_until_complete(answer(keys_loader.load(2))) == 20
        first.call_soon(stuck.set)
        assert first.run_until_complete(answer(asked)) == 10
    finally:
        first.close()
        second.close()
