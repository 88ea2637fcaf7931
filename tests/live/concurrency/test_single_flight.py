"""Work that is under way is shared by those who ask for it meanwhile, and by nobody else."""

import asyncio
import gc

import pytest

from live.concurrency.single_flight import SingleFlight


class Work:
    """Work that waits for its gate; it counts how often it was begun."""

    def __init__(self):
        self.begun, self.gate = [], asyncio.Event()

    async def begin(self, what):
        self.begun.append(what)
        await self.gate.wait()
        if what == "fails":
            raise ValueError("no")
        return f"{what} {len(self.begun)}"


@pytest.fixture
async def work():
    return Work()


def ask(shared, work, *whats):
    """Have each of `whats` asked for; return the tasks, which have begun to wait."""
    return [asyncio.create_task(shared.do(what, work.begin, what)) for what in whats]


async def turn():
    for _ in range(3):
        await asyncio.sleep(0)


async def test_it_is_begun_once_for_each_key(work):
    asked = ask(SingleFlight(), work, "a", "b", "a")
    await turn()
    work.gate.set()
    assert await asyncio.gather(*asked) == ["a 2", "b 2", "a 2"]
    assert work.begun == ["a", "b"]


async def test_after_its_end_it_is_begun_anew(work):
    shared = SingleFlight()
    work.gate.set()
    assert [await shared.do("a", work.begin, "a") for _ in range(2)] == ["a 1", "a 2"]


async def test_who_gives_up_does_not_end_it_for_the_others(work):
    asked = ask(SingleFlight(), work, "a", "a")
    await turn()
    asked.pop(0).cancel()
    await turn()
    work.gate.set()
    assert await asked[0] == "a 1"


async def test_all_who_wait_are_told_of_its_failure(work):
    asked = ask(SingleFlight(), work, "fails", "fails")
    await turn()
    work.gate.set()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(error) for error in results] == ["no", "no"]
    assert work.begun == ["fails"]


async def test_what_cannot_be_begun_is_begun_again(work):
    shared = SingleFlight()

    def refuses(what):
        raise ValueError(what)

    with pytest.raises(ValueError, match="a"):
        await shared.do("a", refuses, "a")
    work.gate.set()
    assert await shared.do("a", work.begin, "a") == "a 1"


async def test_what_is_forgotten_answers_those_of_before_only(work):
    shared = SingleFlight()
    before = ask(shared, work, "a")
    await turn()
    shared.forget()
    after = ask(shared, work, "a")
    await turn()
    assert work.begun == ["a", "a"]
    # The end of the first must not make the second be begun once more.
    work.gate.set()
    await before[0]
    assert await after[0] == "a 2"


async def test_a_failure_that_nobody_waits_for_is_not_logged(work, caplog):
    asked = ask(SingleFlight(), work, "fails")
    await turn()
    asked[0].cancel()
    await turn()
    work.gate.set()
    await turn()
    del asked
    gc.collect()
    assert caplog.text == ""
