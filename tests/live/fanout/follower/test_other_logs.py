"""A database that fails, and another log in the place of the one that was followed."""

import asyncio

import pytest
from django.db import InterfaceError, OperationalError

from live.log.cursor import Cursor
from tests.live.engine import until
from tests.live.fanout.follower.following import (
    SECRET,
    Turn,
    following,
    looked,
    new_follower,
    take,
)

# ---- a database that fails


DATABASE = ["The database is away: {}", "The database is back"]


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (OperationalError, DATABASE),
        (InterfaceError, DATABASE),
        (RuntimeError, ["The event log was not read: {}"]),
    ],
)
async def test_it_goes_on_when_the_database_is_back(log, taken, caplog, error, lines):
    async with following(log, taken) as made:
        log.failure = error(SECRET)
        log.looks = 0
        await made.hear({**log.append(), "records": []})
        await until(lambda: log.looks > 5)
        log.append()
        log.failure = None
        await take(taken, 2)
        assert taken.numbers == [1, 2]
    assert caplog.messages == [line.format(error.__name__) for line in lines]


async def test_it_begins_when_the_database_is_back(log, taken, caplog):
    log.failure = OperationalError(SECRET)
    made = new_follower(log, taken)
    task = asyncio.create_task(made.follow())
    await until(lambda: log.looks > 5)
    assert not made.ready.is_set()
    log.append(3)
    log.failure = None
    await until(made.ready.is_set)
    assert taken.begun == [(Cursor(1, 3), False)]
    task.cancel()


async def test_messages_are_taken_while_the_database_is_away(log, taken):
    async with following(log, taken) as made:
        log.failure = OperationalError(SECRET)
        made._look.set()
        await until(lambda: log.looks > 5)
        await made.hear(log.append())
        assert taken.numbers == [1]


async def test_each_outage_is_reported(log, taken, caplog):
    async with following(log, taken) as made:
        for count in (1, 2):
            log.failure, log.looks = OperationalError(SECRET), 0
            await made.hear({**log.append(), "records": []})
            await until(lambda: log.looks > 2)
            log.failure = None
            await take(taken, count)
            assert len(caplog.messages) == 2 * count


# ---- another log


async def test_a_message_of_another_log_has_it_begin_there(log, taken):
    log.append(5)
    async with following(log, taken) as made:
        await made.hear(log.append())
        log.start_new_epoch(last=0)
        await made.hear(log.append())
        await until(lambda: len(taken.begun) > 1)
        assert taken.begun[1] == (Cursor(2, 1), True)
        await made.hear(log.append())
        assert taken.numbers == [6, 2]


async def test_another_log_is_found_in_silence(log, taken, settings):
    settings.LIVE = {"POLL_EVERY": 0.01}
    log.append(5)
    async with following(log, taken) as made:
        log.start_new_epoch()
        await until(lambda: len(taken.begun) > 1)
        assert taken.begun[1] == (Cursor(2, 5), True)
        await made.hear(log.append())
        assert taken.numbers == [6]


async def test_a_log_that_has_become_shorter_is_another(log, taken, settings):
    """A restored backup that nobody gave a new epoch."""
    settings.LIVE = {"POLL_EVERY": 0.01}
    log.append(5)
    async with following(log, taken):
        log.last = 3
        await until(lambda: len(taken.begun) > 1)
        assert taken.begun[1] == (Cursor(1, 3), True)


async def test_what_came_early_of_the_former_log_is_forgotten(log, taken):
    async with following(log, taken) as made:
        log.append(2)
        await made.hear(log.append())  # 3, too early
        log.start_new_epoch(last=0)
        await made.hear(log.append())
        await until(lambda: len(taken.begun) > 1)
        # Another record will have the number 3: `take` looks whether it is that one.
        await made.hear(log.append())
        assert taken.numbers == [2]
        await made.hear(log.append())
        assert taken.numbers == [2, 3]


async def test_a_batch_of_the_former_log_ends_where_another_begins(log, taken):
    async with following(log, taken) as made:
        made._scheduler = Turn()
        telling = asyncio.create_task(made.hear(log.append(4)))
        await made._scheduler.asked.wait()
        log.start_new_epoch(last=1)
        await made.hear(log.append())
        await until(lambda: len(taken.begun) > 1)
        made._scheduler.comes.set()
        await telling
        await made.hear(log.append())
        assert taken.numbers == [1, 3]


async def test_what_was_pruned_before_it_was_taken_is_missed(log, taken, caplog):
    async with following(log, taken) as made:
        log.append(6)
        log.prune(4)
        await made.hear({**log.append(), "records": []})
        await until(lambda: len(taken.begun) > 1)
        assert taken.begun[1] == (Cursor(1, 7), True)
        await made.hear(log.append())
        assert taken.numbers == [8]


async def test_pruning_what_was_taken_harms_nothing(log, taken):
    async with following(log, taken) as made:
        await made.hear(log.append(4))
        log.prune(4)
        await made.hear({**log.append(2), "records": []})
        await take(taken, 6)
        assert taken.numbers == [1, 2, 3, 4, 5, 6]
        assert len(taken.begun) == 1


async def test_what_was_pruned_while_its_message_came_is_not_missed(log, taken):
    async with following(log, taken) as made:
        messages = [log.append() for _ in range(3)]
        log.holds = True
        await made.hear({**messages[2], "records": []})
        await until(lambda: log.waiting)
        log.let()
        await until(lambda: log.waiting)
        log.prune(3)
        for message in (*messages, log.append()):
            await made.hear(message)
        log.holds = False
        log.let()
        await made.hear(log.append())
        await looked(made)
        assert taken.numbers == [1, 2, 3, 4, 5]
        assert len(taken.begun) == 1
