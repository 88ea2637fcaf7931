"""What a client sees of an error, and that nothing of a patient is in it, nor in any log."""

import asyncio
import gc
import json
import logging
import re

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.urls import path
from graphql import GraphQLError
from prometheus_client import generate_latest

from live import errors
from live.errors import BadInput, Forbidden, NotFound, Unauthenticated, format_error
from live.http.views import GraphQLView
from live.log import numbering, records
from live.log.announcer import announcer
from tests.live.faulty import FAULTS, NAME, NOW, SCHEMA, THINGS, Consumer, OnThing, Quoting
from tests.live.wire import LEGACY, SUBPROTOCOLS, TRANSPORT_WS, Wire, codes

CONSUMER = Consumer.as_asgi()
urlpatterns = [path("graphql/", GraphQLView.as_view(schema=SCHEMA))]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_schema(settings):
    settings.ROOT_URLCONF = __name__
    yield
    NOW.clear()
    NOW["fault"] = "exception"


@pytest.fixture
def logged(caplog):
    """Return a function that returns all that any logger was given, tracebacks included."""
    caplog.set_level(logging.DEBUG)

    def text():
        formatter = logging.Formatter()
        parts = []
        for record in caplog.records:
            parts.append(formatter.format(record))
            parts.append(repr({**record.__dict__, "exc_info": None}))
        return "\n".join(parts)

    return text


def assert_unseen(*texts):
    for text in (*texts, generate_latest().decode()):
        for part in NAME.split():
            assert part not in text


async def post(query):
    body = json.dumps({"query": query})
    return await AsyncClient().post("/graphql/", body, content_type="application/json")


# ---- the form


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize(
    "query",
    [
        "{ ok",
        "{ nothing }",
        "{ sync }",
        "query A { ok } query B { ok }",
        "mutation { fail { ok } }",
    ],
)
async def test_an_error_has_the_same_form_over_http_and_sockets(subprotocol, query):
    over_http = (await post(query)).json()
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:
        over_socket = await wire.ask(query)
    for response in (over_http, over_socket):
        for error in response["errors"]:
            assert error["message"]
            assert set(error) <= {"message", "locations", "path", "extensions"}
            error["extensions"].pop("id", None)
    assert over_http == over_socket


async def test_a_legacy_error_has_its_message_where_old_clients_look():
    async with Wire(CONSUMER, subprotocol=LEGACY) as wire:
        await wire.start("{ nothing }")
        payload = (await wire.receive())["payload"]
    assert payload["message"] == payload["errors"][0]["message"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthenticated(), "UNAUTHENTICATED"),
        (Forbidden(), "FORBIDDEN"),
        (BadInput("name is wrong"), "BAD_INPUT"),
        (NotFound(), "NOT_FOUND"),
        (errors.QueryTooComplex("deep", limit="depth"), "QUERY_TOO_COMPLEX"),
        (errors.RateLimited(limit="x"), "RATE_LIMITED"),
        (errors.TooManySubscriptions(limit="x"), "TOO_MANY_SUBSCRIPTIONS"),
        (errors.TooManyOperations(limit="x"), "TOO_MANY_OPERATIONS"),
        (errors.Timeout(limit="x"), "TIMEOUT"),
        (errors.Unavailable(), "UNAVAILABLE"),
        (errors.SharedContextError(), "SHARED_CONTEXT"),
        (GraphQLError("Syntax Error"), "BAD_INPUT"),
    ],
)
def test_an_error_for_clients_keeps_its_text_and_code(error, code):
    for raised in (error, GraphQLError("", original_error=error, path=["a"])):
        formatted = format_error(raised)
        assert formatted["message"] == error.message
        assert formatted["extensions"]["code"] == code
        assert "id" not in formatted["extensions"]
    assert codes({"errors": [formatted]}) == [code]


def test_an_errors_own_extensions_stay():
    formatted = format_error(BadInput("wrong", extensions={"argument": "first"}))
    assert formatted["extensions"] == {"argument": "first", "code": "BAD_INPUT"}


def test_no_code_is_used_twice():
    def below(kind):
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    kinds = [kind for kind in below(errors.LiveError) if kind.__module__ == errors.__name__]
    own = [kind.code for kind in kinds if "code" in vars(kind)]
    assert len(own) == len(set(own))
    assert all(re.fullmatch("[A-Z_]+", code) for code in own)


# ---- nothing of a patient


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("query", ["{ sync }", "{ coroutine }", "mutation { fail { ok } }"])
@pytest.mark.parametrize("transport", ["http", *SUBPROTOCOLS])
async def test_an_exceptions_text_is_told_to_nobody(logged, fault, query, transport):
    NOW["fault"] = fault
    code = FAULTS[fault][1]
    if transport == "http":
        answer = await post(query)
        response, seen = answer.json(), answer.content.decode() + str(answer.headers)
    else:
        async with Wire(CONSUMER, subprotocol=transport) as wire:
            response = await wire.ask(query)
            seen = "".join(wire.frames)
    assert codes(response) == [code]
    assert_unseen(seen, logged())
    if code == "INTERNAL":
        assert response["errors"][0]["message"] == "Internal error."
        assert response["errors"][0]["extensions"]["id"] in logged()
    if code == "UNAVAILABLE":
        assert response["errors"][0]["message"] == "The database is away: try again."
        assert "The database is away: " in logged()


SERVERS_FAULTS = ["chained", "number", "colour", "date", "listed", "required"]


@pytest.mark.parametrize("field", SERVERS_FAULTS)
async def test_a_result_that_does_not_fit_is_an_internal_error(logged, field):
    answer = await post(f"{{ {field} }}")
    assert codes(answer.json()) == ["INTERNAL"]
    assert_unseen(answer.content.decode(), logged())


async def test_what_a_client_sent_wrongly_is_its_own_to_read():
    answer = (await post("{ __type(name: 7) { name } }")).json()
    assert codes(answer) == ["BAD_INPUT"]
    assert "7" in answer["errors"][0]["message"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", ["authorize", "audience", "subscribe", "on_operation"])
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_an_exception_in_a_hook_is_masked(logged, fault, place, subprotocol):
    NOW.update(fault=fault, place=place)
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:
        assert await wire.subscribe(THINGS) == [FAULTS[fault][1]]
        NOW["place"] = None
        assert (await wire.ask("{ ok }"))["data"] == {"ok": 1}
    assert_unseen("".join(wire.frames), logged())


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_exception_in_publish_is_masked_and_the_next_event_comes(logged, fault):
    NOW.update(fault=fault, place="publish")
    async with Wire(CONSUMER) as wire:
        assert await wire.subscribe(THINGS) == []
        await OnThing.broadcast_async(payload="one")
        assert codes((await wire.receive())["payload"]) == [FAULTS[fault][1]]
        NOW["place"] = None
        await OnThing.broadcast_async(payload="two")
        assert (await wire.event())["onThing"] == {"value": "two"}
    assert_unseen("".join(wire.frames), logged())


async def test_an_exception_in_unsubscribed_harms_nobody(logged):
    NOW["place"] = "unsubscribed"
    async with Wire(CONSUMER) as wire:
        assert await wire.subscribe(THINGS) == []
        await wire.send(type="complete", id="1")
        assert (await wire.ask("{ ok }", "2"))["data"] == {"ok": 1}
        assert await wire.subscribe(THINGS) == []
    assert "unsubscribed" in logged()
    assert_unseen("".join(wire.frames), logged())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_an_exception_in_on_connect_refuses_without_a_word_of_it(logged, fault, subprotocol):
    NOW.update(fault=fault, place="on_connect")
    async with Wire(CONSUMER, subprotocol=subprotocol, init=False) as wire:
        await wire.send(type="connection_init")
        end = await wire.ended()
    assert end.code == (4503 if FAULTS[fault][1] == "UNAVAILABLE" else 4403)
    assert_unseen(end.reason, "".join(wire.frames), logged())


@pytest.mark.parametrize("transport", ["http", TRANSPORT_WS])
async def test_a_payload_that_cannot_be_packed_is_not_quoted(logged, transport):
    query = "mutation { send { ok } }"
    if transport == "http":
        answer = await post(query)
        response, seen = answer.json(), answer.content.decode()
    else:
        async with Wire(CONSUMER) as wire:
            response = await wire.ask(query)
            seen = "".join(wire.frames)
    assert codes(response) == ["INTERNAL"]
    assert_unseen(seen, logged())


async def test_a_channel_layer_that_quotes_what_it_cannot_send(logged, monkeypatch):
    from channels.layers import get_channel_layer

    async def refuse(group, message):
        raise ConnectionError(f"cannot send {NAME}")

    assert await told()  # whose failures before this test are over by it
    monkeypatch.setattr(get_channel_layer(), "group_send", refuse)
    assert await told()
    assert "The channel layer is away: ConnectionError" in logged()
    assert_unseen(logged())


async def told():
    """Broadcast, and return True once the channel layer has it, or refused it."""
    await sync_to_async(OnThing.broadcast_sync)(payload=NAME)
    return await asyncio.to_thread(announcer().flush, 20)


@pytest.mark.parametrize("fails", [numbering, records], ids=["log", "record"])
async def test_an_unpublished_broadcast_leaves_no_traceback(logged, monkeypatch, fails):
    """From async code it is a task, which nobody may await."""

    def refuse(*_):
        raise ConnectionError(f"cannot send {NAME}")

    monkeypatch.setattr(fails, "append" if fails is numbering else "pack", refuse)
    task = OnThing.broadcast(payload=NAME)
    await asyncio.wait([task])
    del task
    gc.collect()
    assert "A broadcast was not sent: ConnectionError" in logged()
    assert_unseen(logged())


async def test_a_view_that_fails_leaves_no_traceback(logged, monkeypatch):
    async def quote(*args):
        raise Quoting

    monkeypatch.setattr(GraphQLView, "answer", quote)
    answer = await post("{ ok }")
    assert answer.status_code == 500
    assert codes(answer.json()) == ["INTERNAL"]
    assert_unseen(answer.content.decode(), logged())
