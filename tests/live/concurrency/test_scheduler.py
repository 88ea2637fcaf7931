"""Turns: one piece of long work in each turn of the loop, the lowest rank first."""

import asyncio

import pytest

from live.concurrency import scheduler as turns_module
from live.concurrency.scheduler import LONGEST_WAITING_EVERY, Turns


class Queue:
    """Those who wait for a turn; it remembers who had one, and in which turn of the loop."""

    def __init__(self):
        self.turns, self.had, self.at = Turns(), [], []
        self.loop_turns = 0
        self.tasks = []

    def wait(self, name, rank=0):
        """Have somebody wait."""
        self.tasks.append(asyncio.create_task(self._wait(name, rank)))
        return self.tasks[-1]

    async def _wait(self, name, rank):
        await self.turns.next(rank)
        self.had.append(name)
        self.at.append(self.loop_turns)

    async def all_had(self):
        """Let the loop turn until everybody had a turn."""
        async with asyncio.timeout(5):
            while not all(task.done() for task in self.tasks):
                await asyncio.sleep(0)
                self.loop_turns += 1


@pytest.fixture
async def queue():
    return Queue()


async def test_equal_ranks_are_in_the_order_of_their_arrival(queue):
    for name in range(50):
        queue.wait(name)
    await queue.all_had()
    assert queue.had == list(range(50))


async def test_the_lowest_rank_is_first(queue):
    for rank in (5, 3, 0, 3, 9, 1):
        queue.wait(f"{rank}", rank)
    await queue.all_had()
    assert queue.had == ["0", "1", "3", "3", "5", "9"]


async def test_who_comes_later_with_a_lower_rank_goes_before_those_who_wait(queue):
    for name in range(20):
        queue.wait(name, 9)
    while not queue.had:  # noqa: ASYNC110  the first turn
        await asyncio.sleep(0)
    queue.wait("late", 1)
    await queue.all_had()
    assert queue.had.index("late") < 5


async def test_no_rank_waits_for_ever(queue):
    queue.wait("high", 9)
    for _ in range(3 * LONGEST_WAITING_EVERY):
        queue.wait("low", 0)
    await queue.all_had()
    assert queue.had.index("high") < LONGEST_WAITING_EVERY


async def test_in_each_turn_of_the_loop_one_works(queue):
    for name in range(50):
        queue.wait(name)
    await queue.all_had()
    assert len(set(queue.at)) == 50


async def test_who_gives_up_costs_nobody_a_turn(queue):
    names = ["a", "b", "c", "d"]
    tasks = {name: queue.wait(name) for name in names}
    await asyncio.sleep(0)
    tasks["a"].cancel()
    tasks["c"].cancel()
    await queue.all_had()
    assert queue.had == ["b", "d"]


async def test_where_all_gave_up_the_next_is_served(queue):
    for _ in range(3):
        queue.wait("gives up")
    await asyncio.sleep(0)
    for task in queue.tasks:
        task.cancel()
    await queue.all_had()
    queue.wait("next")
    await queue.all_had()
    assert queue.had == ["next"]


async def test_who_is_cancelled_when_it_had_been_let_keeps_nobody_waiting(queue):
    """Its turn had come, and it never got to know."""
    first = queue.wait("first")
    queue.wait("second")
    await asyncio.sleep(0)  # both wait
    await asyncio.sleep(0)  # the first is let
    first.cancel()
    await queue.all_had()
    assert queue.had == ["second"]


async def test_a_turn_ends_after_its_time_and_begins_anew(queue, monkeypatch):
    assert queue.turns.is_over  # nobody has one
    await queue.turns.next()
    monkeypatch.setattr(turns_module, "LONGEST_SECONDS", 60)
    await queue.turns.next()
    assert not queue.turns.is_over
    monkeypatch.setattr(turns_module, "LONGEST_SECONDS", 0)
    await queue.turns.next()
    assert queue.turns.is_over
