"""A cohort runs each event once, in order, for all its members, and for nobody else."""

import asyncio
import itertools

from live.fanout.cohort import MEMBERS_AT_ONCE
from tests.live.engine import Echo, Slow, result, turns, until
from tests.live.fanout.cohorts import add, give, make, member_of

# ---- runs


async def test_a_run_without_waiting_is_delivered_within_take():
    run = Echo()
    cohort = make(run)
    clients = add(cohort, 3)
    give(cohort, 1, 2)
    assert [client.got for client in clients] == [[1, 2]] * 3
    assert run.ran == [1, 2]
    assert cohort.is_idle


async def test_slow_runs_are_one_after_the_other_and_in_order():
    run = Slow()
    cohort = make(run)
    (client,) = add(cohort)
    give(cohort, 1, 2, 3)
    assert run.ran == [1]
    assert not cohort.is_idle
    await run.let_all()
    assert client.got == [1, 2, 3]
    assert cohort.is_idle


async def test_a_run_at_once_does_not_overtake_one_that_waits():
    slow, echo = Slow(), Echo()
    cohort = make(lambda event: slow(event) if event.number == 1 else echo(event))
    (client,) = add(cohort)
    give(cohort, 1, 2)
    await turns()
    assert client.got == []
    await slow.let_all()
    assert client.got == [1, 2]


async def test_a_member_hears_of_no_event_before_it_joined():
    cohort = make(Echo())
    old, new = add(cohort)[0], add(cohort, since=1)[0]
    give(cohort, 1, 2)
    assert (old.got, new.got) == ([1, 2], [2])


async def test_a_member_that_joins_while_an_event_runs_does_not_get_it():
    run = Slow()
    cohort = make(run)
    (old,) = add(cohort)
    give(cohort, 1)
    (new,) = add(cohort, since=1)
    give(cohort, 2)
    await run.let_all()
    assert (old.got, new.got) == ([1, 2], [2])


async def test_a_member_that_leaves_while_an_event_runs_does_not_get_it():
    run = Slow()
    cohort = make(run)
    stays, leaves = add(cohort, 2)
    give(cohort, 1)
    cohort.remove(member_of(cohort, leaves))
    await run.let_all()
    assert (stays.got, leaves.got) == ([1], [])


async def test_a_stopped_cohort_delivers_nothing_more():
    run = Slow()
    cohort = make(run)
    (client,) = add(cohort)
    give(cohort, 1, 2)
    turn = run.held[0]
    await turns()
    cohort.stop()
    await turns()
    assert turn.cancelled()
    assert run.ran == [1]
    assert client.got == []


async def test_nothing_is_run_for_nobody():
    run = Slow()
    cohort = make(run)
    give(cohort, 1)
    (client,) = add(cohort, since=1)
    give(cohort, 2, 3)
    cohort.remove(member_of(cohort, client))
    give(cohort, 4)
    give(cohort, 5)
    await run.let_all()
    assert run.ran == [2]
    assert cohort.is_idle


# ---- many members


async def test_many_members_are_written_to_in_parts_between_which_the_loop_turns():
    cohort = make(Echo())
    clients = add(cohort, 3 * MEMBERS_AT_ONCE)
    give(cohort, 1)
    at_each_turn = []
    while not cohort.is_idle:
        at_each_turn.append(sum(bool(client.bodies) for client in clients))
        await asyncio.sleep(0)
    assert all(client.got == [1] for client in clients)
    steps = [b - a for a, b in itertools.pairwise(at_each_turn)]
    assert len(at_each_turn) > 3
    assert max(steps) <= MEMBERS_AT_ONCE


async def test_who_leaves_or_joins_between_the_parts_is_treated_as_of_that_moment():
    cohort = make(Echo())
    clients = add(cohort, 2 * MEMBERS_AT_ONCE)
    leaves, joins = clients[-1], []

    def change():
        clients[0].on_deliver = None
        cohort.remove(member_of(cohort, leaves))
        joins.extend(add(cohort, since=2))

    clients[0].on_deliver = change
    give(cohort, 1, 2, 3)
    await until(lambda: cohort.is_idle)
    assert leaves.got == []
    assert joins[0].got == [3]
    assert all(client.got == [1, 2, 3] for client in clients[:-1])


async def test_who_leaves_because_another_was_written_to_gets_nothing():
    cohort = make(Echo())
    first, second = add(cohort, 2)
    first.on_deliver = lambda: cohort.remove(member_of(cohort, second))
    give(cohort, 1)
    assert (first.got, second.got) == ([1], [])


# ---- where a member stands that is taken out


async def test_who_is_taken_out_of_an_idle_cohort_has_had_all_that_was_given():
    cohort = make(Echo())
    (client,) = add(cohort)
    member = member_of(cohort, client)
    give(cohort, 1)
    cohort.source.position = 9  # what was for other groups
    cohort.remove(member)
    assert member.since == 9


async def test_who_is_taken_out_has_not_had_what_runs_or_waits():
    run = Slow()
    cohort = make(run)
    members = [member_of(cohort, client) for client in add(cohort, 4)]
    cohort.source.position = 10
    give(cohort, 11, 12)
    cohort.remove(members[0])
    await run.let_one()
    cohort.remove(members[1])
    await run.let_one()
    cohort.source.position = 20
    cohort.remove(members[2])
    # Others work in this turn of the loop: the event waits for the next.
    cohort.scheduler.call(lambda: None)
    give(cohort, 21)
    cohort.remove(members[3])
    assert [member.since for member in members] == [10, 11, 20, 20]


async def test_who_is_taken_out_between_the_parts_of_a_delivery_stands_where_it_was_left():
    cohort = make(Echo())
    clients = add(cohort, 2 * MEMBERS_AT_ONCE)
    first, last = member_of(cohort, clients[0]), member_of(cohort, clients[-1])
    give(cohort, 1)
    while not clients[0].bodies:  # noqa: ASYNC110  the first part
        await asyncio.sleep(0)
    assert clients[-1].bodies == []
    cohort.remove(first)
    cohort.remove(last)
    assert (first.since, last.since) == (1, 0)
    await until(lambda: cohort.is_idle)
    assert clients[-1].bodies == []


async def test_a_skipped_event_is_had_all_the_same():
    cohort = make(lambda event: result(None if event.number == 1 else event.payload))
    (client,) = add(cohort)
    member = member_of(cohort, client)
    give(cohort, 1, 2)
    assert client.got == [2]
    give(cohort, 3)
    cohort.remove(member)
    assert member.since == 3


# ---- ends


async def test_an_end_comes_after_what_was_before_it_and_before_what_is_after_it():
    run = Slow()
    cohort = make(run)
    (client,) = add(cohort)
    give(cohort, 1)
    give(cohort, 2, ends=True)
    give(cohort, 3)
    (new,) = add(cohort, since=3)
    assert client.ends == 0
    await run.let_all()
    assert (client.got, client.ends) == ([1], 1)
    assert (new.got, new.ends) == ([], 0)
    give(cohort, 4)
    await run.let_all()
    assert new.got == [4]


async def test_an_end_is_none_of_the_newest_events_and_not_pushed_out_by_them():
    run = Slow()
    cohort = make(run, limit=2)
    (client,) = add(cohort)
    give(cohort, 1, 2, 3)
    give(cohort, 4, ends=True)
    give(cohort, 5, 6, 7)
    await run.let_all()
    assert (client.got, client.ends) == ([1], 1)


async def test_an_end_reaches_many_members_and_no_publish():
    run = Echo()
    cohort = make(run)
    clients = add(cohort, MEMBERS_AT_ONCE + 1)
    give(cohort, 1)
    give(cohort, 2, ends=True)
    await until(lambda: cohort.is_empty)
    assert all((client.got, client.ends) == ([1], 1) for client in clients)
    assert run.ran == [1]
