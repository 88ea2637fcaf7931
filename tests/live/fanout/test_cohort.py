"""A cohort runs each event once, in order, for all its members, and for nobody else."""

import asyncio
import itertools
import logging

import pytest
from graphql import ExecutionResult, GraphQLError

from live.concurrency.scheduler import Scheduler
from live.errors import Forbidden
from live.fanout import renderings
from live.fanout.cohort import MEMBERS_AT_ONCE, Cohort
from live.fanout.event_buffer import EventBuffer
from live.fanout.member import Member
from live.fanout.notification import body_of
from live.log import events
from live.log.events import Event
from live.log.payload import PayloadError
from tests.live.engine import Client, Echo, Slow, make_event, result, turns, until

SECRET = "Ada Lovelace"


class Behind:
    """Keeps those who fell behind where they are; a test looks at them, or lets them read."""

    def __init__(self):
        self.members = []

    def __call__(self, member, cohort):
        cohort.send_back(member, asyncio.get_running_loop().create_future())
        self.members.append(member)

    @property
    def since(self):
        return [member.since for member in self.members]


def make(run, **options):
    """Return a cohort of nobody yet."""
    return Cohort("key", run, EventBuffer(), Behind(), Scheduler(), **options)


def add(cohort, count=1, since=0, takes=None):
    """Add members to `cohort`; return their clients."""
    clients = [Client() if takes is None else Client(takes) for _ in range(count)]
    for client in clients:
        member = Member(client, frozenset({"g"}), cohort.source, since)
        client.on_end = lambda member=member: cohort.remove(member)
        cohort.add(member)
    return clients


def give(cohort, *numbers, ends=False):
    """Have the cohort take events, as the hub does."""
    for number in numbers:
        cohort.take(make_event(number, ends=ends))
        cohort.source.position = number


def member_of(cohort, client):
    return next(member for member in cohort.live if member.receiver is client)


# ---- events


def test_a_payload_is_unpacked_once_however_many_look(monkeypatch):
    calls = []
    monkeypatch.setattr(events, "unpack", lambda packed: calls.append(packed) or [1])
    event = make_event(1)
    assert event.payload is event.payload
    assert len(calls) == 1


def test_a_damaged_payload_is_an_error_at_each_look():
    event = Event(1, frozenset(), b"\x00damaged")
    for _ in range(2):
        with pytest.raises(PayloadError):
            event.payload  # noqa: B018


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
    assert cohort._renderings._kept == {}


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


# ---- errors


def raise_error(event):
    raise KeyError(SECRET)


async def raise_later(event):
    await asyncio.sleep(0)
    raise KeyError(SECRET)


async def be_cancelled(event):
    waited_for = asyncio.ensure_future(asyncio.sleep(60))
    waited_for.cancel()
    await waited_for


def partial_result(event):
    error = GraphQLError("", path=["event", "name"], original_error=KeyError(SECRET))
    return ExecutionResult({"event": {"name": None}}, [error])


def no_json(event):
    return result({"when": object()})


FAILING = [raise_error, raise_later, be_cancelled, partial_result, no_json]


@pytest.mark.parametrize("run", FAILING)
async def test_what_goes_wrong_reaches_members_masked_and_the_next_event_runs(run, caplog):
    runs = {1: run, 2: Echo()}
    cohort = make(lambda event: runs[event.number](event))
    clients = add(cohort, 2)
    give(cohort, 1, 2)
    await until(lambda: len(clients[1].bodies) == 2)
    for client in clients:
        failed, fine = client.bodies
        assert failed["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert SECRET not in str(failed)
        assert fine == {"data": {"event": 2}}
    assert SECRET not in caplog.text
    assert [r.levelno for r in caplog.records if r.name == "live.errors"] == [logging.ERROR]


@pytest.mark.parametrize("run", FAILING)
async def test_what_goes_wrong_for_readers_is_the_same(run, caplog):
    body = await make(run).rendered(make_event(1))
    assert '"INTERNAL"' in body
    assert SECRET not in body + caplog.text


async def test_a_payload_that_cannot_be_unpacked_is_told_and_the_next_event_runs():
    cohort = make(Echo())
    (client,) = add(cohort)
    cohort.take(Event(1, frozenset(), b"\x07other release"))
    give(cohort, 2)
    assert client.bodies[0]["data"] is None
    assert client.bodies[0]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert client.bodies[1] == {"data": {"event": 2}}


async def test_an_error_meant_for_clients_keeps_its_code():
    def run(event):
        raise Forbidden()

    cohort = make(run)
    (client,) = add(cohort)
    give(cohort, 1)
    assert client.bodies[0]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_receiver_that_raises_is_ended_and_the_others_go_on(caplog):
    def fail():
        raise KeyError(SECRET)

    cohort = make(Echo())
    failing, other = add(cohort, 2)
    failing.on_deliver = fail
    give(cohort, 1, 2)
    assert [type(error) for error in failing.errors] == [KeyError]
    assert other.got == [1, 2]
    assert len(cohort.live) == 1
    assert SECRET not in caplog.text


# ---- bodies


@pytest.mark.parametrize("data", [None, {}, {"event": None}, {"event": None, "other": None}])
def test_a_skipped_notification_has_no_body(data):
    assert body_of(ExecutionResult(data, None)) is None


@pytest.mark.parametrize("value", [0, False, "", [], {}])
def test_a_value_that_is_merely_empty_is_no_skip(value):
    assert body_of(ExecutionResult({"event": value}, None)) is not None


def test_a_null_with_an_error_is_no_skip():
    error = GraphQLError("", original_error=Forbidden())
    assert '"FORBIDDEN"' in body_of(ExecutionResult({"event": None}, [error]))
