"""The scheduler: one piece of long work in each turn of the loop, the first rank first."""

import asyncio

import pytest

from live.concurrency import scheduler as scheduler_module
from live.concurrency.scheduler import FAIR_EVERY, Rank, Scheduler


class Queue:
    """Those who wait for a turn; it remembers who had one, and in which turn of the loop."""

    def __init__(self):
        self.turns, self.had, self.at = Scheduler(), [], []
        self.loop_turns = 0
        self.tasks = []

    def wait(self, name, order=0, rank=Rank.CATCHING_UP):
        """Have somebody wait."""
        self.tasks.append(asyncio.create_task(self._wait(name, order, rank)))
        return self.tasks[-1]

    def call(self, name):
        """Have somebody's work be called."""
        self.turns.call(lambda: self.note(name))

    def note(self, name):
        """Note that somebody had a turn."""
        self.had.append(name)
        self.at.append(self.loop_turns)

    async def _wait(self, name, order, rank):
        await self.turns.turn(rank, order)
        self.note(name)

    async def all_had(self):
        """Let the loop turn until everybody had a turn."""
        async with asyncio.timeout(5):
            while not all(task.done() for task in self.tasks):
                await asyncio.sleep(0)
                self.loop_turns += 1


@pytest.fixture
async def queue():
    return Queue()


async def test_equals_are_in_the_order_of_their_arrival(queue):
    for name in range(50):
        queue.wait(name)
    await queue.all_had()
    assert queue.had == list(range(50))


async def test_within_a_rank_the_lowest_order_is_first(queue):
    for order in (5, 3, 0, 3, 9, 1):
        queue.wait(f"{order}", order)
    await queue.all_had()
    assert queue.had == ["0", "1", "3", "3", "5", "9"]


async def test_live_work_is_first_and_housekeeping_last(queue):
    for rank in (Rank.HOUSEKEEPING, Rank.CATCHING_UP, Rank.LIVE):
        queue.wait(rank, rank=rank)
    await asyncio.sleep(0)
    queue.call("called")
    await queue.all_had()
    assert queue.had == [Rank.LIVE, "called", Rank.CATCHING_UP, Rank.HOUSEKEEPING]


async def test_who_comes_later_with_a_lower_order_goes_before_those_who_wait(queue):
    for name in range(20):
        queue.wait(name, 9)
    while not queue.had:  # noqa: ASYNC110  the first turn
        await asyncio.sleep(0)
    queue.wait("late", 1)
    await queue.all_had()
    assert queue.had.index("late") < 5


async def test_nobody_waits_for_ever(queue):
    queue.wait("far", 9)
    queue.wait("housekeeping", rank=Rank.HOUSEKEEPING)
    for _ in range(3 * FAIR_EVERY):
        queue.wait("near", 0)
    await queue.all_had()
    assert queue.had.index("far") < FAIR_EVERY
    assert queue.had.index("housekeeping") < FAIR_EVERY


async def test_housekeeping_has_its_turn_however_many_have_waited_longer(queue):
    for order in range(20 * FAIR_EVERY):
        queue.wait("catching up", order)
    await asyncio.sleep(0)
    queue.wait("housekeeping", rank=Rank.HOUSEKEEPING)
    await queue.all_had()
    assert queue.had.index("housekeeping") < 2 * FAIR_EVERY


# ---- live work


async def test_where_nobody_works_live_work_begins_at_once(queue):
    assert queue.turns.begin()
    # Within the same piece as long as that lasts.
    assert queue.turns.begin()


async def test_a_piece_that_is_over_is_not_begun_anew_in_the_same_turn(queue, monkeypatch):
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)
    assert queue.turns.begin()
    assert not queue.turns.begin()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert queue.turns.begin()


async def test_live_work_does_not_begin_in_the_turn_of_another(queue, monkeypatch):
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)
    queue.wait("catching up")
    await asyncio.sleep(0)
    assert not queue.turns.begin()
    await queue.all_had()


async def test_what_is_called_shares_a_piece_until_that_is_over(queue, monkeypatch):
    for number in range(5):
        queue.call(number)
    queue.wait("later")
    await queue.all_had()
    assert queue.had == [0, 1, 2, 3, 4, "later"]
    assert len(set(queue.at[:5])) == 1
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)
    queue.at.clear()
    for number in range(5):
        queue.call(number)
    while len(queue.at) < 5:
        await asyncio.sleep(0)
        queue.loop_turns += 1
    assert len(set(queue.at)) == 5


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_work_that_raises_holds_nobody_up_and_is_not_quoted(queue, caplog, error):
    def fail():
        raise error("Ada Lovelace")

    queue.turns.call(fail)
    queue.call("next")
    queue.wait("last")
    await queue.all_had()
    assert queue.had == ["next", "last"]
    assert f"Scheduled work failed: {error.__name__}" in caplog.text
    assert "Ada" not in caplog.text


# ---- turns


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
    await queue.turns.turn(Rank.CATCHING_UP)
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 60)
    await queue.turns.turn(Rank.CATCHING_UP)
    assert not queue.turns.is_over
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)
    await queue.turns.turn(Rank.CATCHING_UP)
    assert queue.turns.is_over


async def test_heavy_clients_are_last_and_have_their_turn(queue):
    for order in range(3):
        queue.wait("heavy", order, Rank.HEAVY)
    for rank in (Rank.HOUSEKEEPING, Rank.CATCHING_UP, Rank.REQUESTS, Rank.LIVE):
        queue.wait(rank, rank=rank)
    await queue.all_had()
    ranks = [Rank.LIVE, Rank.REQUESTS, Rank.CATCHING_UP]
    assert [each for each in queue.had if each in ranks] == ranks
    assert queue.had[-1] == "heavy"


async def test_heavy_clients_hold_up_no_housekeeping(queue):
    for order in range(10 * FAIR_EVERY):
        queue.wait("heavy", order, Rank.HEAVY)
        queue.wait("near", rank=Rank.LIVE)
    await asyncio.sleep(0)
    queue.wait("housekeeping", rank=Rank.HOUSEKEEPING)
    await queue.all_had()
    assert queue.had.index("housekeeping") < 2 * FAIR_EVERY
    assert queue.had.index("heavy") < 2 * FAIR_EVERY
