"""What is remembered of a user's rights: for a moment, and never beyond a change."""

import asyncio
import gc
import threading
from types import SimpleNamespace

import pytest

from live.identity import rights_cache
from live.identity.rights_cache import cached_rights, clear

TIMEOUT = 20
NURSE, DOCTOR, NOBODY = (SimpleNamespace(pk=pk) for pk in (1, 2, None))


class Rights:
    """A look-up that counts, and waits for its gate in its thread."""

    def __init__(self, fails=False):
        self.asked: list[int] = []
        self.gate = threading.Event()
        self.fails = fails

    def look_up(self, user):
        self.asked.append(user.pk)
        assert self.gate.wait(TIMEOUT)
        if self.fails:
            raise RuntimeError("away")
        return f"{user.pk}, look {len(self.asked)}"

    async def under_way(self, count):
        async with asyncio.timeout(TIMEOUT):
            while len(self.asked) < count:  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.001)


@pytest.fixture
def rights(settings):
    settings.LIVE = {"RECHECK_EVERY": 60}
    made = Rights()
    made.gate.set()
    yield made
    made.gate.set()


async def test_it_is_looked_up_once_for_each_user(rights):
    answers = [await cached_rights(user, rights.look_up) for user in (NURSE, NURSE, DOCTOR, NURSE)]
    assert answers == ["1, look 1", "1, look 1", "2, look 2", "1, look 1"]


async def test_nobodys_is_not_remembered(rights):
    assert [await cached_rights(NOBODY, rights.look_up) for _ in "ab"] == [
        "None, look 1",
        "None, look 2",
    ]


async def test_it_is_looked_up_again_after_a_while(rights, settings):
    settings.LIVE = {"RECHECK_EVERY": 0}
    assert [await cached_rights(NURSE, rights.look_up) for _ in "ab"] == ["1, look 1", "1, look 2"]


async def test_those_who_ask_meanwhile_wait_for_the_same_look(rights):
    rights.gate.clear()
    tasks = [asyncio.create_task(cached_rights(NURSE, rights.look_up)) for _ in range(20)]
    other = asyncio.create_task(cached_rights(DOCTOR, rights.look_up))
    await rights.under_way(2)
    tasks[0].cancel()  # who asked first is gone
    rights.gate.set()
    assert len({await task for task in tasks[1:]}) == 1
    await other
    assert sorted(rights.asked) == [1, 2]


async def test_what_was_under_way_at_a_change_is_not_remembered(rights):
    rights.gate.clear()
    before = asyncio.create_task(cached_rights(NURSE, rights.look_up))
    await rights.under_way(1)
    clear()
    rights.gate.set()
    assert await before == "1, look 1"
    assert await cached_rights(NURSE, rights.look_up) == "1, look 2"


async def test_what_was_under_way_at_a_change_answers_nobody_who_asks_after_it(rights):
    rights.gate.clear()
    before = asyncio.create_task(cached_rights(NURSE, rights.look_up))
    await rights.under_way(1)
    clear()
    after = asyncio.create_task(cached_rights(NURSE, rights.look_up))
    await rights.under_way(2)
    rights.gate.set()
    await asyncio.gather(before, after)
    assert rights.asked == [1, 1]


async def test_what_had_not_begun_at_a_change_is_not_remembered(rights):
    before = asyncio.create_task(cached_rights(NURSE, rights.look_up))
    await asyncio.sleep(0)  # its look has a task, which has not had a turn
    assert (len(rights_cache._look_ups._under_way), rights.asked) == (1, [])
    clear()
    assert await before == "1, look 1"
    assert await cached_rights(NURSE, rights.look_up) == "1, look 2"


async def test_what_failed_is_looked_up_again(rights):
    rights.fails = True
    for _ in "ab":
        with pytest.raises(RuntimeError):
            await cached_rights(NURSE, rights.look_up)
    assert rights.asked == [1, 1]


async def test_what_failed_for_nobody_is_not_logged(rights, caplog):
    """asyncio would log the error's text, which may quote a patient."""
    rights.fails = True
    rights.gate.clear()
    asked = asyncio.create_task(cached_rights(NURSE, rights.look_up))
    await rights.under_way(1)
    asked.cancel()
    rights.gate.set()
    async with asyncio.timeout(TIMEOUT):
        while rights_cache._look_ups._under_way:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.001)
    gc.collect()
    assert caplog.text == ""


async def test_memory_is_bounded(rights, monkeypatch):
    monkeypatch.setattr(rights_cache, "MOST_CACHED", 2)
    for pk in range(1, 10):
        await cached_rights(SimpleNamespace(pk=pk), rights.look_up)
        assert len(rights_cache._cached) <= 2
