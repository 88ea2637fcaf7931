import argparse
import asyncio

import pytest

from example_client import commands, session
from example_client.errors import (
    ConnectionLost,
    NotAnEndpoint,
    NotPermitted,
    Refused,
    Unreachable,
)
from example_client.output import Output
from example_client.session import Endpoint, connected

BAD_INPUT = {"message": "No.", "extensions": {"code": "BAD_INPUT"}}


def answering(*answers):
    """Return a script that answers one operation with `answers` (type, payload)."""

    async def script(server):
        await server.acknowledge()
        operation = await server.receive("subscribe")
        for type_, payload in answers:
            await server.send(type_, operation["id"], payload)
        await server.ws.receive()

    return script


async def execute(serve, *answers):
    async with serve(answering(*answers)) as url, connected(Endpoint(url)) as client:
        async with asyncio.timeout(5):
            return await client.execute("{ me { username } }")


async def test_init_sends_an_object_that_asks_for_confirmations(serve):
    seen = []

    async def script(server):
        seen.append(await server.acknowledge())
        await server.ws.receive()

    async with serve(script) as url, connected(Endpoint(url)) as client:
        assert client.connected
    assert seen == [{"type": "connection_init", "payload": {"confirmSubscriptions": True}}]


async def test_execute_returns_the_data(serve):
    answers = [("next", {"data": {"me": None}}), ("complete", None)]
    assert await execute(serve, *answers) == {"me": None}


async def test_execute_raises_what_the_result_says(serve):
    answers = [("next", {"data": None, "errors": [BAD_INPUT]}), ("complete", None)]
    with pytest.raises(Refused, match="BAD_INPUT"):
        await execute(serve, *answers)


async def test_execute_ends_with_an_error_message_which_no_complete_follows(serve):
    with pytest.raises(Refused, match="BAD_INPUT"):
        await execute(serve, ("error", [BAD_INPUT]))


async def test_a_complete_without_a_result_is_a_refusal(serve):
    with pytest.raises(Refused, match="no result"):
        await execute(serve, ("complete", None))


async def test_pings_are_answered_at_any_time(serve):
    async def script(server):
        await server.receive("connection_init")
        await server.send("ping")
        await server.receive("pong")
        await server.send("connection_ack")
        operation = await server.receive("subscribe")
        await server.send("ping")
        await server.receive("pong")
        await server.send("next", operation["id"], {"data": {"me": None}})
        await server.send("complete", operation["id"])

    async with serve(script) as url, connected(Endpoint(url)) as client:
        assert await client.execute("{ me { username } }") == {"me": None}


async def test_who_does_not_acknowledge_is_no_endpoint(serve):
    async def script(server):
        await server.send("hello")

    with pytest.raises(NotAnEndpoint, match="does not acknowledge"):
        async with serve(script) as url, connected(Endpoint(url)):
            pass


async def test_a_rejected_init_is_not_permitted(serve):
    async def script(server):
        await server.receive("connection_init")
        await server.ws.close(code=4403, message=b"Forbidden")

    with pytest.raises(NotPermitted, match="4403: Forbidden"):
        async with serve(script) as url, connected(Endpoint(url)):
            pass


async def test_an_answer_is_not_waited_for_without_end(serve, monkeypatch):
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.05)
    with pytest.raises(Unreachable, match=r"within 0\.05 s"):
        await execute(serve)


@pytest.mark.parametrize("ok", [True, False])
async def test_a_named_user_logs_in_with_variables(serve, ok):
    seen = []

    async def script(server):
        await server.acknowledge()
        operation = await server.receive("subscribe")
        seen.append(operation["payload"])
        await server.send("next", operation["id"], {"data": {"login": {"ok": ok}}})
        await server.send("complete", operation["id"])
        await server.ws.receive()

    async def log_in():
        async with serve(script) as url, connected(Endpoint(url, "ann", 's"cret')):
            pass

    if ok:
        await log_in()
    else:
        with pytest.raises(NotPermitted, match="log-in was refused"):
            await log_in()
    assert seen[0]["variables"] == {"username": "ann", "password": 's"cret'}
    assert "cret" not in seen[0]["query"]


def test_the_password_is_in_no_representation():
    assert "s3cret" not in repr(Endpoint("ws://h/", "ann", "s3cret"))


async def test_a_mutation_whose_answer_is_lost_may_have_been_done(serve):
    async def script(server):
        await server.acknowledge()
        await server.receive("subscribe")
        await server.ws.close(code=1011)

    arguments = argparse.Namespace(id="x", at=None)
    with pytest.raises(ConnectionLost, match="whether the server did it is not known"):
        async with serve(script) as url, connected(Endpoint(url)) as client:
            await commands.discharge(client, arguments, Output(as_json=True))
