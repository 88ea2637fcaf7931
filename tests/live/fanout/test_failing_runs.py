"""What goes wrong in a run reaches the members masked, and the next event runs."""

import asyncio
import logging
from itertools import pairwise

import pytest
from graphql import ExecutionResult, GraphQLError

from live.concurrency import scheduler
from live.errors import Forbidden
from live.log.events import Event
from tests.live.engine import Echo, make_event, result, until
from tests.live.fanout.cohorts import SECRET, add, give, make


def raise_error(event):
    raise KeyError(SECRET)


async def raise_later(event):
    await asyncio.sleep(0)
    raise KeyError(SECRET)


async def be_cancelled(event):
    waited_for = asyncio.ensure_future(asyncio.sleep(60))
    waited_for.cancel()
    await waited_for


def be_cancelled_at_once(event):
    raise asyncio.CancelledError


def partial_result(event):
    error = GraphQLError("", path=["event", "name"], original_error=KeyError(SECRET))
    return ExecutionResult({"event": {"name": None}}, [error])


def no_json(event):
    return result({"when": object()})


FAILING = [raise_error, raise_later, be_cancelled, be_cancelled_at_once, partial_result, no_json]


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


async def test_what_waits_does_not_hold_the_loop_where_a_run_only_looks_asynchronous(monkeypatch):
    """An async `publish` that awaits nothing never lets the loop turn by itself."""
    monkeypatch.setattr(scheduler, "LONGEST_SECONDS", 0)
    ran = []

    async def run(event):
        ran.append(event.number)
        return result(event.number)

    cohort = make(run)
    (client,) = add(cohort)
    give(cohort, *range(1, 101))
    turns = [len(ran)]
    while len(client.got) < 100:
        await asyncio.sleep(0)
        turns.append(len(ran))
    assert client.got == list(range(1, 101))
    assert max(after - before for before, after in pairwise(turns)) <= 2
