"""Every record once, in order, whatever gets lost, doubled or late on the way."""

import asyncio

from live.fanout import follower
from live.log.cursor import Cursor
from tests.live.engine import until
from tests.live.fanout.follower.following import (
    Clock,
    following,
    impatient,
    looked,
    new_follower,
    take,
)

# ---- nothing goes wrong


async def test_it_begins_at_the_logs_end(log, taken):
    log.append(7)
    async with following(log, taken):
        assert taken.begun == [(Cursor(1, 7), False)]
        assert taken.numbers == []


async def test_what_is_told_is_taken_at_once_and_nothing_is_read(log, taken):
    log.append(3)
    async with following(log, taken) as made:
        for count in (1, 2, 1, 50):
            await made.hear(log.append(count))
        assert taken.numbers == list(range(4, 58))
        assert log.reads == []


async def test_a_message_before_its_beginning_has_it_begin(log, taken):
    made = new_follower(log, taken)
    await made.hear(log.append())
    assert taken.numbers == []
    async with following(log, taken):
        assert taken.begun == [(Cursor(1, 1), False)]


# ---- doubled, late, lost


async def test_what_comes_twice_is_taken_once(log, taken):
    async with following(log, taken) as made:
        messages = [log.append() for _ in range(3)]
        for message in (*messages, *messages, log.append()):
            await made.hear(message)
        assert taken.numbers == [1, 2, 3, 4]


async def test_of_what_overlaps_the_new_part_is_taken(log, taken):
    async with following(log, taken) as made:
        await made.hear(log.append(3))
        log.append(2)
        texts = [log.records[number] for number in range(2, 6)]
        await made.hear({"type": "live.log", "epoch": 1, "last": 5, "records": texts})
        assert taken.numbers == [1, 2, 3, 4, 5]
        assert log.reads == []


async def test_what_comes_too_early_waits_for_what_is_before_it(log, taken):
    """Two writers that commit one after the other may send in the other order."""
    async with following(log, taken) as made:
        first, second, third = log.append(), log.append(2), log.append()
        await made.hear(third)
        await made.hear(second)
        assert taken.numbers == []
        await made.hear(first)
        assert taken.numbers == [1, 2, 3, 4]
        assert log.reads == []


async def test_who_got_all_meanwhile_does_not_look_for_what_came_too_early(log, taken):
    async with following(log, taken) as made:
        log.append(2)
        await made.hear(log.append())
        texts = list(log.records.values())
        await made.hear({"type": "live.log", "epoch": 1, "last": 3, "records": texts})
        made._lose_patience()
        assert not made._look.is_set()
        assert (taken.numbers, made._early) == ([1, 2, 3], {})


async def test_a_lost_message_is_read(log, taken, monkeypatch):
    impatient(monkeypatch)
    async with following(log, taken) as made:
        log.append()
        await made.hear(log.append())
        await take(taken, 2)
        assert taken.numbers == [1, 2]
        await made.hear(log.append())
        assert taken.numbers == [1, 2, 3]


async def test_the_last_message_is_found_missing_in_silence(log, taken, settings):
    settings.LIVE = {"POLL_EVERY": 0.01}
    async with following(log, taken):
        for _ in range(3):
            log.append(2)
            await take(taken, log.last)
        assert taken.numbers == [1, 2, 3, 4, 5, 6]


async def test_a_lost_message_is_found_while_others_are_only_repeated(log, taken, settings):
    """What is old is no sign that nothing is missing."""
    settings.LIVE = {"POLL_EVERY": 0.02}
    async with following(log, taken) as made:
        first = log.append()
        await made.hear(first)
        log.append()
        async with asyncio.timeout(5):
            while taken.numbers != [1, 2]:
                await made.hear(first)
                await asyncio.sleep(0.001)


async def test_who_hears_of_events_need_not_look_for_them(log, taken, settings, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(follower, "time", clock)
    settings.LIVE = {"POLL_EVERY": 0.01}
    async with following(log, taken) as made:
        await until(lambda: clock.looks > 5)
        clock.now = 100
        await made.hear(log.append())
        looks, clock.looks = log.looks, 0
        await until(lambda: clock.looks > 5)
        assert log.looks == looks
        clock.now = 101
        await until(lambda: log.looks > looks)


async def test_a_long_gap_is_read_in_pages(log, taken, monkeypatch):
    monkeypatch.setattr(follower, "PAGE", 3)
    impatient(monkeypatch)
    async with following(log, taken) as made:
        log.append(7)
        await made.hear(log.append())
        await take(taken, 8)
        assert taken.numbers == list(range(1, 9))
        assert log.reads == [(1, 3), (4, 6), (7, 8)]


async def test_a_flood_that_comes_too_early_is_not_all_kept(log, taken, monkeypatch):
    monkeypatch.setattr(follower, "MOST_EARLY", 5)
    async with following(log, taken) as made:
        lost = log.append()
        for _ in range(100):
            await made.hear(log.append())
        assert len(made._early) == 5
        monkeypatch.setattr(follower, "PATIENCE_SECONDS", 0)
        await made.hear(lost)
        await made.hear(log.append())
        made._lose_patience()
        await take(taken, log.last)
        assert taken.numbers == list(range(1, 103))
        assert made._early == {}


# ---- doorbells


async def test_a_doorbell_has_the_log_read(log, taken):
    async with following(log, taken) as made:
        await made.hear({**log.append(3), "records": []})
        await take(taken, 3)
        assert taken.numbers == [1, 2, 3]
        assert log.reads == [(1, 3)]


async def test_a_doorbell_of_what_is_known_costs_nothing(log, taken):
    async with following(log, taken) as made:
        message = log.append(2)
        await made.hear(message)
        log.looks = 0
        await made.hear({**message, "records": []})
        await asyncio.sleep(0)
        assert log.looks == 0
        assert taken.numbers == [1, 2]


# ---- what happens while it reads


async def test_messages_that_come_while_it_reads_are_taken_once(log, taken):
    async with following(log, taken) as made:
        lost, late = log.append(2), log.append()
        log.holds = True
        await made.hear({**late, "records": []})
        await until(lambda: log.waiting)
        log.let()
        await until(lambda: log.waiting)  # of the records
        await made.hear(lost)
        await made.hear(log.append())
        assert taken.numbers == [1, 2]
        log.holds = False
        log.let()
        await take(taken, 4)
        await made.hear(late)
        await made.hear(log.append())
        assert taken.numbers == [1, 2, 3, 4, 5]
        assert len(log.reads) == 1


async def test_what_is_taken_while_it_asks_for_the_end_is_not_another_log(log, taken):
    async with following(log, taken) as made:
        log.holds = True
        made._look.set()
        await until(lambda: log.waiting)
        await made.hear(log.append(5))
        log.holds = False
        log.let("looks early")
        await looked(made)
        await made.hear(log.append())
        assert taken.numbers == [1, 2, 3, 4, 5, 6]
        assert len(taken.begun) == 1


async def test_a_gap_that_shows_while_it_reads_is_read_next(log, taken, monkeypatch):
    impatient(monkeypatch)
    async with following(log, taken) as made:
        log.holds = True
        await made.hear({**log.append(2), "records": []})
        await until(lambda: log.waiting)
        log.let("looks early")
        await until(lambda: log.waiting)
        log.append()
        await made.hear(log.append())
        log.holds = False
        log.let()
        await take(taken, 4)
        assert taken.numbers == [1, 2, 3, 4]
