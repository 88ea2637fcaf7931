import asyncio

import pytest

from example_client import watch
from example_client.backoff import Backoff
from example_client.errors import NotPermitted, Refused, Unreachable
from example_client.output import Output
from tests.example_client.watched import (
    DISCHARGED,
    NEW,
    Watched,
    confirm,
    end,
    failed,
    watched,
)


async def test_events_of_both_subscriptions_are_printed_in_order(serve):
    async def script(server, new, changed):
        await confirm(server, new, changed)
        await server.send("next", new, NEW)
        await server.send("next", changed, DISCHARGED)
        await server.send("next", new, NEW)
        await end(server, new)

    result = await watched(serve, script)
    assert result.kinds == ["NEW", "DISCHARGED", "NEW"]
    assert result.status[0].startswith("watching all categories at http://")
    assert isinstance(result.error, NotPermitted)


async def test_watching_is_said_when_both_subscriptions_are_confirmed(serve, monkeypatch):
    monkeypatch.setattr(watch, "CONFIRM_SECONDS", 10)

    async def script(server, new, changed):
        await confirm(server, changed)
        await end(server, new)

    assert (await watched(serve, script)).status == []


async def test_an_event_is_as_good_as_a_confirmation(serve, monkeypatch):
    monkeypatch.setattr(watch, "CONFIRM_SECONDS", 10)

    async def script(server, new, changed):
        await server.send("next", new, NEW)
        await server.send("next", changed, DISCHARGED)
        await end(server, new)

    result = await watched(serve, script)
    assert result.kinds == ["NEW", "DISCHARGED"]
    assert len(result.status) == 1


async def test_a_server_that_confirms_nothing_is_watched_as_well(serve, monkeypatch):
    monkeypatch.setattr(watch, "CONFIRM_SECONDS", 0.05)
    said = asyncio.Event()

    async def script(server, new, changed):
        await said.wait()
        await server.send("next", new, NEW)
        await end(server, new)

    class Listening(Output):
        def status(self, text):
            said.set()

    monkeypatch.setattr("tests.example_client.watched.Output", Listening)
    result = await watched(serve, script)
    assert result.kinds == ["NEW"]


async def test_the_category_is_sent(serve):
    seen = []

    async def script(server):
        await server.acknowledge()
        for answered in (True, False, False):
            message = await server.receive("subscribe")
            if answered:
                await server.answer(message["id"], {"position": "P"})
            seen.append(message["payload"].get("variables"))
        await end(server, message["id"])

    async with serve(script) as url:
        await Watched().run(url, "II")
    assert seen[1:] == [{"category": "II", "after": "P"}] * 2


async def test_a_lost_connection_is_said_and_made_again(serve):
    async def lost(server, new, changed):
        await confirm(server, new, changed)
        await server.ws.close(code=1012, message=b"restart")

    async def again(server, new, changed):
        await confirm(server, new, changed)
        await server.send("next", new, NEW)
        await end(server, new)

    result = await watched(serve, lost, again)
    assert result.kinds == ["NEW"]
    first, second, third = result.status
    assert first.startswith("watching")
    assert second.startswith("connection lost (1012: restart), trying again in 0.0 s")
    assert third.startswith("connected again, watching all categories")
    assert third.endswith(" from where it stopped")


class RecordingBackoff(Backoff):
    """Counts the resets."""

    resets = 0

    def reset(self):
        super().reset()
        self.resets += 1


@pytest.mark.parametrize(("longest", "resets"), [(0, 1), (60, 0)])
async def test_only_a_connection_that_lasted_counts_as_success(serve, longest, resets):
    async def lost(server, new, changed):
        await confirm(server, new, changed)
        await server.ws.close(code=1012)

    async def again(server, new, changed):
        await end(server, new)

    backoff = RecordingBackoff(0.001, longest)
    await watched(serve, lost, again, backoff=backoff)
    assert backoff.resets == resets


async def test_the_first_connection_is_not_tried_twice(unused_tcp_port):
    result = await Watched().run(f"ws://127.0.0.1:{unused_tcp_port}/")
    assert isinstance(result.error, Unreachable)
    assert result.status == []


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "FORBIDDEN", "BAD_INPUT", "NOT_FOUND"])
async def test_a_refused_subscription_ends_it_at_once(serve, code):
    async def script(server, new, changed):
        await server.send("next", changed, failed(code))
        await server.ws.receive()

    result = await watched(serve, script)
    assert code in str(result.error)
    assert result.kinds == result.status == []


async def test_an_event_over_which_the_server_failed_is_told_and_not_the_end(serve):
    async def script(server, new, changed):
        await confirm(server, new, changed)
        await server.send("next", new, failed("INTERNAL"))
        await server.send("next", new, NEW)
        await end(server, new)

    result = await watched(serve, script)
    assert result.status[1] == "an event came with an error: No. (INTERNAL)"
    assert result.kinds == ["NEW"]


async def test_a_subscription_that_the_server_ends_is_the_end(serve):
    async def script(server, new, changed):
        await confirm(server, new, changed)
        await server.send("complete", changed)
        await server.ws.receive()

    result = await watched(serve, script)
    assert type(result.error) is Refused
    assert str(result.error) == "the server ended the subscription onPatientChanged"
