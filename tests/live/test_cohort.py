"""A cohort runs each event once, in order, for all its members, and for nobody else."""

import asyncio
import itertools
import logging

import pytest
from graphql import ExecutionResult, GraphQLError

from live import cohort as cohort_module
from live.cohort import MEMBERS_AT_ONCE, Cohort, Event, Member, notification_body
from live.errors import Forbidden
from live.payload import PayloadError, pack
from tests.live.engine import Client, Echo, Slow, result, turns, until

SECRET = "Ada Lovelace"


def make_event(number, payload=None):
    return Event(number, frozenset({"g"}), pack(number if payload is None else payload))


def add(cohort, count=1, since=0):
    """Add members to `cohort`; return their clients."""
    clients = [Client() for _ in range(count)]
    for client in clients:
        cohort.add(Member(client, frozenset({"g"}), since=since))
    return clients


def member_of(cohort, client):
    return next(member for member in cohort.members if member.receiver is client)


# ---- events


def test_a_payload_is_unpacked_once_however_many_look(monkeypatch):
    calls = []
    monkeypatch.setattr(cohort_module, "unpack", lambda packed: calls.append(packed) or [1])
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
    cohort = Cohort("key", run)
    clients = add(cohort, 3)
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    assert [client.got for client in clients] == [[1, 2]] * 3
    assert run.calls == 2
    assert cohort.is_idle


async def test_slow_runs_are_one_after_the_other_and_in_order():
    run = Slow()
    cohort = Cohort("key", run)
    (client,) = add(cohort)
    for number in (1, 2, 3):
        cohort.take(make_event(number))
    assert [payload for payload, _ in run.turns] == [1]
    assert not cohort.is_idle
    await run.let_all()
    assert client.got == [1, 2, 3]
    assert cohort.is_idle


async def test_a_run_at_once_does_not_overtake_one_that_waits():
    slow, echo = Slow(), Echo()
    cohort = Cohort("key", lambda payload: slow(payload) if payload == 1 else echo(payload))
    (client,) = add(cohort)
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    await turns()
    assert client.got == []
    await slow.let_all()
    assert client.got == [1, 2]


async def test_a_member_hears_of_no_event_before_it_joined():
    cohort = Cohort("key", Echo())
    old, new = add(cohort)[0], add(cohort, since=1)[0]
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    assert (old.got, new.got) == ([1, 2], [2])


async def test_a_member_that_joins_while_an_event_runs_does_not_get_it():
    run = Slow()
    cohort = Cohort("key", run)
    (old,) = add(cohort)
    cohort.take(make_event(1))
    (new,) = add(cohort, since=1)
    cohort.take(make_event(2))
    await run.let_all()
    assert (old.got, new.got) == ([1, 2], [2])


async def test_a_member_that_leaves_while_an_event_runs_does_not_get_it():
    run = Slow()
    cohort = Cohort("key", run)
    stays, leaves = add(cohort, 2)
    cohort.take(make_event(1))
    cohort.remove(member_of(cohort, leaves))
    await run.let_all()
    assert (stays.got, leaves.got) == ([1], [])


async def test_a_stopped_cohort_delivers_nothing_more():
    run = Slow()
    cohort = Cohort("key", run)
    (client,) = add(cohort)
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    turn = run.turns[0][1]
    await turns()
    cohort.stop()
    await turns()
    assert turn.cancelled()
    assert len(run.turns) == 1
    assert client.got == []


# ---- many members


async def test_many_members_are_written_to_in_parts_between_which_the_loop_turns():
    cohort = Cohort("key", Echo())
    clients = add(cohort, 3 * MEMBERS_AT_ONCE)
    cohort.take(make_event(1))
    at_each_turn = []
    while not cohort.is_idle:
        at_each_turn.append(sum(bool(client.bodies) for client in clients))
        await asyncio.sleep(0)
    assert all(client.got == [1] for client in clients)
    steps = [b - a for a, b in itertools.pairwise(at_each_turn)]
    assert len(at_each_turn) > 3
    assert max(steps) <= MEMBERS_AT_ONCE


async def test_who_leaves_or_joins_between_the_parts_is_treated_as_of_that_moment():
    cohort = Cohort("key", Echo())
    clients = add(cohort, 2 * MEMBERS_AT_ONCE)
    leaves, joins = clients[-1], []

    def change():
        clients[0].on_deliver = None
        cohort.remove(member_of(cohort, leaves))
        joins.extend(add(cohort, since=2))

    clients[0].on_deliver = change
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    cohort.take(make_event(3))
    await until(lambda: cohort.is_idle)
    assert leaves.got == []
    assert joins[0].got == [3]
    assert all(client.got == [1, 2, 3] for client in clients[:-1])


async def test_who_leaves_because_another_was_written_to_gets_nothing():
    cohort = Cohort("key", Echo())
    first, second = add(cohort, 2)
    first.on_deliver = lambda: cohort.remove(member_of(cohort, second))
    cohort.take(make_event(1))
    assert (first.got, second.got) == ([1], [])


# ---- what waits


@pytest.mark.parametrize(("limit", "left"), [(1, [1, 9]), (3, [1, 7, 8, 9])])
async def test_a_limit_of_the_subscriptions_own_keeps_the_newest(limit, left):
    run = Slow()
    cohort = Cohort("key", run, limit=limit)
    (client,) = add(cohort)
    for number in range(1, 10):
        cohort.take(make_event(number))
    await run.let_all()
    assert client.got == left
    assert client.overflows == 0


async def test_without_a_limit_of_its_own_nothing_is_dropped_silently():
    run = Slow()
    cohort = Cohort("key", run, most_waiting=2)
    clients = add(cohort, 2)
    for number in (1, 2, 3):
        cohort.take(make_event(number))
    assert [client.overflows for client in clients] == [0, 0]
    cohort.take(make_event(4))
    assert [client.overflows for client in clients] == [1, 1]


async def test_pending_is_what_runs_and_what_waits_and_was_not_had():
    run = Slow()
    cohort = Cohort("key", run)
    old, new = add(cohort)[0], add(cohort, since=1)[0]
    for number in (1, 2):
        cohort.take(make_event(number))
    assert [e.number for e in cohort.pending(member_of(cohort, old))] == [1, 2]
    assert [e.number for e in cohort.pending(member_of(cohort, new))] == [2]
    await run.let_one()
    assert [e.number for e in cohort.pending(member_of(cohort, old))] == [2]
    await run.let_all()
    assert cohort.pending(member_of(cohort, old)) == []


async def test_a_paused_cohort_keeps_what_comes_and_runs_it_when_it_resumes():
    idle = []
    cohort = Cohort("key", Echo(), paused=True, on_idle=lambda: idle.append(True))
    (client,) = add(cohort)
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    await turns()
    assert client.got == []
    cohort.resume()
    await until(lambda: cohort.is_idle)
    assert client.got == [1, 2]
    assert idle == [True]


async def test_a_cohort_that_resumes_with_nothing_waiting_is_idle_at_once():
    idle = []
    cohort = Cohort("key", Echo(), paused=True, on_idle=lambda: idle.append(True))
    cohort.resume()
    cohort.take(make_event(1))
    assert idle == [True]


# ---- errors


def raise_error(payload):
    raise KeyError(SECRET)


async def raise_later(payload):
    await asyncio.sleep(0)
    raise KeyError(SECRET)


def partial_result(payload):
    error = GraphQLError("", path=["event", "name"], original_error=KeyError(SECRET))
    return ExecutionResult({"event": {"name": None}}, [error])


def no_json(payload):
    return result({"when": object()})


@pytest.mark.parametrize("run", [raise_error, raise_later, partial_result, no_json])
async def test_what_goes_wrong_reaches_members_masked_and_the_next_event_runs(run, caplog):
    runs = {1: run, 2: result}
    cohort = Cohort("key", lambda payload: runs[payload](payload))
    clients = add(cohort, 2)
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    await until(lambda: len(clients[1].bodies) == 2)
    for client in clients:
        failed, fine = client.bodies
        assert failed["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert SECRET not in str(failed)
        assert fine == {"data": {"event": 2}}
    assert SECRET not in caplog.text
    assert [r.levelno for r in caplog.records if r.name == "live.errors"] == [logging.ERROR]


async def test_a_payload_that_cannot_be_unpacked_is_told_and_the_next_event_runs():
    cohort = Cohort("key", Echo())
    (client,) = add(cohort)
    cohort.take(Event(1, frozenset(), b"\x07other release"))
    cohort.take(make_event(2))
    assert client.bodies[0]["data"] is None
    assert client.bodies[0]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert client.bodies[1] == {"data": {"event": 2}}


async def test_an_error_meant_for_clients_keeps_its_code():
    def run(payload):
        raise Forbidden()

    cohort = Cohort("key", run)
    (client,) = add(cohort)
    cohort.take(make_event(1))
    assert client.bodies[0]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# ---- bodies


@pytest.mark.parametrize("data", [None, {}, {"event": None}, {"event": None, "other": None}])
def test_a_skipped_notification_has_no_body(data):
    assert notification_body(ExecutionResult(data, None)) is None


@pytest.mark.parametrize("value", [0, False, "", [], {}])
def test_a_value_that_is_merely_empty_is_no_skip(value):
    assert notification_body(ExecutionResult({"event": value}, None)) is not None


def test_a_null_with_an_error_is_no_skip():
    error = GraphQLError("", original_error=Forbidden())
    assert '"FORBIDDEN"' in notification_body(ExecutionResult({"event": None}, [error]))


async def test_a_skipped_event_is_had_all_the_same():
    cohort = Cohort("key", lambda payload: result(None if payload == 1 else payload))
    (client,) = add(cohort)
    cohort.take(make_event(1))
    cohort.take(make_event(2))
    assert client.got == [2]
