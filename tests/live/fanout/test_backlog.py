"""Who cannot keep up with a cohort, and what waits for its runs."""

import asyncio

import pytest

from live.fanout import renderings
from tests.live.engine import Echo, Slow, make_event, turns
from tests.live.fanout.cohorts import add, give, make

# ---- who has no room


async def test_who_has_no_room_falls_behind_and_the_others_go_on():
    run = Echo()
    cohort = make(run)
    slow, fast = add(cohort, takes=2)[0], add(cohort)[0]
    give(cohort, 1, 2, 3, 4)
    assert (slow.got, fast.got) == ([1, 2], [1, 2, 3, 4])
    assert cohort.fall_behind.since == [2]
    assert (len(cohort.live), len(cohort.catching_up)) == (1, 1)
    assert run.ran == [1, 2, 3, 4]


async def test_what_was_run_for_the_others_is_there_for_who_reads_at_its_own_pace():
    run = Echo()
    cohort = make(run)
    add(cohort, takes=1)
    add(cohort)
    give(cohort, 1, 2, 3)
    bodies = [await cohort.rendered(make_event(number)) for number in (2, 3)]
    assert bodies == ['{"data":{"event":2}}', '{"data":{"event":3}}']
    assert run.ran == [1, 2, 3]
    assert await cohort.rendered(make_event(4)) == '{"data":{"event":4}}'
    assert run.ran == [1, 2, 3, 4]


async def test_an_event_is_run_once_for_all_who_read_it_at_once():
    run = Slow()
    cohort = make(run)
    wanted = [asyncio.ensure_future(cohort.rendered(make_event(1))) for _ in range(5)]
    await turns()
    wanted.pop().cancel()  # one gives up; the others go on
    await run.let_all()
    assert await asyncio.gather(*wanted) == ['{"data":{"event":1}}'] * 4
    assert run.ran == [1]


async def test_what_was_run_for_readers_is_bounded_and_forgotten_with_the_last(monkeypatch):
    monkeypatch.setattr(renderings, "MOST_KEPT", 3)
    run = Echo()
    cohort = make(run)
    clients = add(cohort, 2, takes=0)
    give(cohort, 1)
    for number in (1, 2, 3, 4, 4, 3, 2, 1):
        await cohort.rendered(make_event(number))
    assert run.ran == [1, 2, 3, 4, 1]
    assert len(cohort._renderings._kept) == 3
    assert [member.receiver for member in cohort.fall_behind.members] == clients
    for member in cohort.fall_behind.members:
        cohort.add(member)
    assert len(cohort._renderings._kept) == 0


# ---- what waits


@pytest.mark.parametrize(("limit", "left"), [(1, [1, 9]), (3, [1, 7, 8, 9])])
async def test_a_limit_of_the_subscriptions_own_keeps_the_newest(limit, left):
    run = Slow()
    cohort = make(run, limit=limit, most_waiting=2)
    (client,) = add(cohort)
    give(cohort, *range(1, 10))
    await run.let_all()
    assert client.got == left
    assert cohort.fall_behind.members == []


async def test_beyond_what_may_wait_all_read_on_after_what_they_had():
    run = Slow()
    cohort = make(run, most_waiting=2)
    clients = add(cohort, 2)
    give(cohort, 1)
    await run.let_one()
    give(cohort, 2, 3, 4)
    assert cohort.fall_behind.members == []
    give(cohort, 5)
    assert cohort.fall_behind.since == [1, 1]
    give(cohort, 6)
    # The one that runs ends; nobody hears of it here, and no other is begun.
    await run.let_all()
    assert [client.got for client in clients] == [[1], [1]]
    assert run.ran == [1, 2]
    assert cohort.is_idle
