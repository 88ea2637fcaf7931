"""The consumer in this process: connections, limits, and what an application overrides."""

import logging

import pytest
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from live.socket.protocol import LEGACY_WS, TRANSPORT_WS
from live.socket.session import VERSION
from tests.live.stage import (
    INTROSPECTION,
    SUBSCRIPTION,
    Consumer,
    OnEvent,
    Socket,
    payload_of,
    settled,
)

# ---- the connection


async def test_the_ack_names_the_server_its_version_and_the_interval_of_pings(stage, subprotocol):
    class Pinging(Consumer):
        send_ping_every = 7

    async with Socket(Pinging, subprotocol) as socket:
        assert await socket.init() == {"server": "Wardcast", "version": VERSION, "ping": 7}


@pytest.mark.parametrize("offered", [[], ["graphql"], ["GraphQL-WS"]])
async def test_a_socket_without_a_known_subprotocol_is_refused(offered):
    wire = WebsocketCommunicator(Consumer.as_asgi(), "/", subprotocols=offered)
    assert await wire.connect() == (False, 4406)


async def test_the_current_subprotocol_is_preferred():
    both = [LEGACY_WS, TRANSPORT_WS]
    wire = WebsocketCommunicator(Consumer.as_asgi(), "/", subprotocols=both)
    assert await wire.connect() == (True, TRANSPORT_WS)
    await wire.disconnect()


async def test_a_rejected_client_is_told_no_reason_and_closed(stage, subprotocol, caplog):
    stage.raises.add("on_connect")
    caplog.set_level(logging.DEBUG, "live.socket.session")
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.send(type="connection_init")
        if socket.is_legacy:
            error = payload_of("connection_error", await socket.receive())
            assert error == {"message": "The connection was refused."}
        assert await socket.closed() == (4403, "The connection was refused")
    lines = [
        record.getMessage() for record in caplog.records if record.name == "live.socket.session"
    ]
    assert "Closing a socket with 4403: The connection was refused (RuntimeError)" in lines
    assert [
        r for r in caplog.records if r.levelno >= logging.INFO and r.name == "live.socket.session"
    ] == []


async def test_two_inits_at_once(stage):
    stage.hold("on_connect")
    async with Socket() as socket:
        await socket.send(type="connection_init")
        await stage.reached("on_connect")
        await socket.send(type="connection_init")
        assert await socket.closed() == (4429, "Too many initialisation requests")
        stage.release("on_connect")
    assert stage.count("on_connect") == 1


async def test_two_legacy_inits_at_once(stage):
    stage.hold("on_connect")
    async with Socket(subprotocol=LEGACY_WS) as socket:
        await socket.send(type="connection_init")
        await stage.reached("on_connect")
        await socket.send(type="connection_init")
        await socket.send(type="probe")
        assert (await socket.receive())["type"] == "connection_error"
        stage.release("on_connect")
        assert (await socket.receive())["type"] == "connection_ack"
        assert (await socket.receive())["type"] == "ka"
        await socket.nothing_more()
    assert stage.count("on_connect") == 1


async def test_an_operation_while_the_init_is_looked_at(stage):
    stage.hold("on_connect")
    async with Socket() as socket:
        await socket.send(type="connection_init")
        await stage.reached("on_connect")
        await socket.start("{ held }")
        assert await socket.closed() == (4401, "Unauthorized")
        stage.release("on_connect")
    assert stage.calls == ["on_connect"]


async def test_a_legacy_operation_waits_for_the_ack(stage):
    stage.hold("on_connect")
    async with Socket(subprotocol=LEGACY_WS) as socket:
        await socket.send(type="connection_init")
        await socket.start("{ echo(value: 1) }", "1")
        await socket.start("{ echo(value: 2) }", "2")
        await socket.complete("2")
        assert await socket.receive() == {"type": "complete", "id": "2"}
        assert stage.calls == ["on_connect"]
        stage.release("on_connect")
        messages = [await socket.receive() for _ in range(4)]
        kinds = [message["type"] for message in messages]
        assert kinds == ["connection_ack", "ka", "data", "complete"]
        assert messages[2]["payload"] == {"data": {"echo": 1}}
        await socket.nothing_more()


async def test_a_legacy_operation_behind_a_rejected_init_never_runs(stage):
    stage.hold("on_connect")
    stage.raises.add("on_connect")
    async with Socket(subprotocol=LEGACY_WS) as socket:
        await socket.send(type="connection_init")
        await socket.start("{ held }")
        await socket.start(SUBSCRIPTION, "2")
        stage.release("on_connect")
        assert (await socket.receive())["type"] == "connection_error"
        assert (await socket.closed())[0] == 4403
    assert stage.calls == ["on_connect"]


async def test_a_client_is_not_rejected_because_the_database_is_away(stage, subprotocol):
    stage.raises.add("on_connect")
    stage.error = OperationalError
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.send(type="connection_init")
        assert await socket.closed() == (4503, "The database is away: come back")


# ---- confirmations


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "asked", [{}, {"confirmSubscriptions": False}, {"confirmSubscriptions": 1}]
)
async def test_nobody_is_sent_a_confirmation_who_did_not_ask_for_it(stage, subprotocol, asked):
    async with (
        Socket(subprotocol=subprotocol) as asking,
        Socket(subprotocol=subprotocol) as socket,
    ):
        await asking.init(confirmSubscriptions=True)
        await socket.init(**asked)
        await socket.start(SUBSCRIPTION)
        await stage.reached("subscribe")
        await socket.nothing_more()
        await asking.watch()
        await OnEvent.broadcast(group="all", payload="first")
        for each in (asking, socket):
            payload = (await each.receive())["payload"]
            assert payload == {"data": {"onEvent": {"value": "first"}}}


# ---- contents


async def test_half_a_surrogate_comes_back(stage, subprotocol):
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init(confirmSubscriptions=True)
        query = "query ($value: GenericScalar) { echo(value: $value) }"
        await socket.start(query, "\ud800", variables={"value": "\udfffé"})
        result = await socket.receive()
        assert result["id"] == "\ud800"
        assert result["payload"] == {"data": {"echo": "\udfffé"}}
        assert (await socket.receive())["type"] == "complete"
        await socket.nothing_more()


async def test_an_exception_is_masked_and_logged_by_its_id(stage, subprotocol, caplog):
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init()
        await socket.start("{ fails }")
        payload = (await socket.receive())["payload"]
    (error,) = payload["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["id"] in caplog.text
    assert "Ada" not in str(payload) + caplog.text


async def test_a_failure_of_the_server_closes_one_socket(stage, monkeypatch, caplog):
    def fail(self, text):
        raise RuntimeError("Ada Lovelace")

    async with Socket() as socket, Socket() as other:
        await other.init()
        with monkeypatch.context() as patch:
            patch.setattr("live.socket.protocol.Connection.receive", fail)
            await socket.send(type="ping")
            assert await socket.closed() == (4500, "Internal server error")
        await other.nothing_more()
    lines = [
        record.getMessage() for record in caplog.records if record.name == "live.socket.session"
    ]
    assert lines == ["Closing a socket with 4500: Internal server error (RuntimeError)"]


# ---- limits


async def test_a_message_too_big(stage, settings, subprotocol):
    settings.LIVE = {"MAX_MESSAGE_BYTES": 200}
    frame = '{"type":"ping","payload":{"a":"%s"}}'
    padding = "é" * ((200 - len(frame) + 2) // 2)  # two bytes each
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.send_text((frame % padding).ljust(200 - len(padding)))
        assert (await socket.receive())["type"] in ("pong", "connection_error")
        await socket.send_text((frame % padding).ljust(201 - len(padding)))
        assert await socket.closed() == (4413, "Message is too big")


async def test_too_many_messages(stage, settings, subprotocol):
    settings.LIVE = {"MESSAGES_AT_ONCE": 3, "MESSAGES_PER_SECOND": 0}
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init()
        for _ in range(3):
            await socket.complete()
        assert await socket.closed() == (4429, "Too many messages")


async def test_too_many_operations(stage, settings, subprotocol):
    settings.LIVE = {"MAX_OPERATIONS_PER_SOCKET": 2}
    stage.hold("held")
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init()
        await settled()
        await socket.start("{ held }", "1")
        await stage.reached("held")
        await socket.start("{ held }", "2")
        await socket.complete("1")  # its resolver runs on, and counts
        if socket.is_legacy:
            await socket.receive()
        await socket.start("{ echo(value: 1) }", "3")
        error = payload_of("error", await socket.receive())
        (error,) = error["errors"] if socket.is_legacy else error
        assert error["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        stage.release("held")
        assert (await socket.receive())["payload"] == {"data": {"held": "done"}}
        assert await socket.receive() == {"type": "complete", "id": "2"}
        await settled()
        await socket.start("{ echo(value: 1) }", "3")
        assert (await socket.receive())["payload"] == {"data": {"echo": 1}}


# ---- what an application overrides


async def test_without_strict_ordering_a_quick_operation_overtakes_a_slow_one(stage):
    stage.hold("held")
    async with Socket() as socket:
        await socket.init()
        await socket.start("{ held }", "1")
        await socket.start("{ echo(value: 1) }", "2")
        assert (await socket.receive())["id"] == "2"
        assert (await socket.receive())["type"] == "complete"
        stage.release("held")
        assert (await socket.receive())["id"] == "1"


async def test_strict_ordering_runs_one_after_the_other(stage):
    class Strict(Consumer):
        strict_ordering = True

    stage.hold("on_connect", "held")
    async with Socket(Strict) as socket:
        await socket.send(type="connection_init")
        await socket.start("{ held }", "1")  # before the ack is sent, not before it is due
        await socket.start("{ echo(value: 1) }", "2")
        await stage.reached("on_connect")
        assert stage.calls == ["on_connect"]
        stage.release("on_connect")
        await stage.reached("held")
        assert stage.count("on_operation") == 1
        stage.release("held")
        kinds = [(message["type"], message.get("id")) for message in await socket_messages(socket)]
    assert kinds == [
        ("connection_ack", None),
        ("next", "1"),
        ("complete", "1"),
        ("next", "2"),
        ("complete", "2"),
    ]


async def socket_messages(socket, count=5):
    return [await socket.receive() for _ in range(count)]


@pytest.mark.parametrize("query", ["{ held }", SUBSCRIPTION, INTROSPECTION])
async def test_on_operation_cancels_whatever_the_operation_is_called(stage, subprotocol, query):
    stage.raises.add("on_operation")
    async with Socket(subprotocol=subprotocol) as socket:
        await socket.init()
        name = "IntrospectionQuery" if query == INTROSPECTION else None
        await socket.start(query, operationName=name)
        assert (await socket.receive())["type"] == "error"
        await socket.nothing_more()
    assert stage.calls == ["on_connect", "on_operation"]


@pytest.mark.usefixtures("transactional_db")
async def test_middleware_is_around_every_operation_and_publish(stage):
    seen = []

    def note(next_resolver, root, info, **arguments):
        seen.append(f"{info.operation.operation.value} {info.field_name}")
        return next_resolver(root, info, **arguments)

    class Noting(Consumer):
        middleware = (note,)

    async with Socket(Noting) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.start(INTROSPECTION, operationName="IntrospectionQuery")
        assert (await socket.receive())["payload"] == {"data": {"echo": 1}}
        await socket.receive()
        assert seen == ["query echo"]
        await socket.watch()
        seen.clear()
        await OnEvent.broadcast(group="all", payload=1)
        await socket.receive()
        assert seen == ["subscription onEvent", "subscription value"]
