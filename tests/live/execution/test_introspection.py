"""Introspection: for whom, whatever the operation is called and however it is asked."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import AsyncClient
from graphql import get_introspection_query

from live.errors import Forbidden
from live.execution.introspection import check_introspection, may_introspect
from server.asgi import Consumer
from tests.conftest import make_user
from tests.live.wire import SUBPROTOCOLS, Wire, codes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people(nurse):
    return {
        "nobody": AnonymousUser(),
        "nurse": nurse,
        "staff": make_user("staff", is_staff=True),
        "inactive": make_user("inactive", is_staff=True, is_active=False),
    }


EVERYONE = {"nobody", "nurse", "staff", "inactive"}


@pytest.mark.parametrize(
    ("setting", "debug", "allowed"),
    [
        (None, True, EVERYONE),
        (None, False, {"staff"}),
        ("everyone", False, EVERYONE),
        ("staff", True, {"staff"}),
        ("nobody", True, set()),
        ("nonsense", True, set()),
    ],
)
def test_who_may(settings, people, setting, debug, allowed):
    settings.DEBUG = debug
    settings.LIVE = {"INTROSPECTION": setting}
    assert {name for name, user in people.items() if may_introspect(user)} == allowed
    for name, user in people.items():
        if name in allowed:
            assert check_introspection(True, user) is None
        else:
            with pytest.raises(Forbidden):
                check_introspection(True, user)
        assert check_introspection(False, user) is None
    assert may_introspect(None) == ("nobody" in allowed)


QUERIES = [
    get_introspection_query(),
    "query IntrospectionQuery { __schema { types { name } } }",
    "{ __schema { types { name } } }",
    '{ __type(name: "Patient") { name } }',
    '{ me { username } aliased: __type(name: "Patient") { name } }',
    "{ ...F } fragment F on Query { __schema { types { name } } }",
    "{ ... on Query { __schema { types { name } } } }",
    "query A { me { username } } query IntrospectionQuery { __schema { types { name } } }",
    "query Q($off: Boolean = true) { __schema @skip(if: $off) { types { name } } }",
    "mutation { logout { ok } } query IntrospectionQuery { __schema { types { name } } }",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("name", [None, "IntrospectionQuery"])
async def test_who_may_not_gets_nothing_by_any_query(settings, people, query, name):
    settings.LIVE = {"INTROSPECTION": "staff"}
    payload = {"query": query, "operationName": name if name and name in query else None}
    body = json.dumps(payload)
    response = await AsyncClient().post("/graphql/", body, content_type="application/json")
    answers = [response.content.decode()]
    for subprotocol in SUBPROTOCOLS:
        async with Wire(Consumer.as_asgi(), people["nurse"], subprotocol) as wire:
            kind = "start" if subprotocol == "graphql-ws" else "subscribe"
            await wire.send(id="1", type=kind, payload=payload)
            message = await wire.receive()
            answers.append(json.dumps(message))
    for answer in answers:
        assert "FORBIDDEN" in answer or "BAD_INPUT" in answer
        assert "Patient" not in answer.replace("__type(name", "")


async def test_staff_may_in_production(settings, people):
    settings.DEBUG = False
    for subprotocol in SUBPROTOCOLS:
        async with Wire(Consumer.as_asgi(), people["staff"], subprotocol) as wire:
            answer = await wire.ask(get_introspection_query())
            assert {kind["name"] for kind in answer["data"]["__schema"]["types"]} >= {"Patient"}
        async with Wire(Consumer.as_asgi(), people["nurse"], subprotocol) as wire:
            assert codes(await wire.ask(get_introspection_query())) == ["FORBIDDEN"]


async def test_the_types_name_is_no_secret(settings):
    settings.LIVE = {"INTROSPECTION": "nobody"}
    async with Wire(Consumer.as_asgi(), AnonymousUser()) as wire:
        assert (await wire.ask("{ __typename }"))["data"] == {"__typename": "Query"}


async def test_middleware_and_on_operation_see_an_operation_of_any_name(people):
    seen = []

    async def count(resolve, root, info, **arguments):
        seen.append(info.field_name)
        result = resolve(root, info, **arguments)
        return await result if hasattr(result, "__await__") else result

    class Watched(Consumer):
        middleware = [count]

        async def on_operation(self, op_id, payload):
            seen.append(payload["operationName"])

    async with Wire(Watched.as_asgi(), people["nurse"]) as wire:
        payload = {
            "query": "query IntrospectionQuery { me { username } }",
            "operationName": "IntrospectionQuery",
        }
        await wire.send(id="1", type="subscribe", payload=payload)
        assert (await wire.receive())["payload"]["data"] == {"me": {"username": "nurse"}}
    assert seen == ["IntrospectionQuery", "me", "username"]


WRONG = {
    "a field": ("{ patientz { totalCount } }", {}),
    "a value": (
        "query ($s: PatientStatus) { patients(status: $s) { totalCount } }",
        {"s": "ADMITED"},
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_an_error_suggests_names_to_those_only_who_may_read_them(
    settings, people, subprotocol, wrong
):
    query, variables = WRONG[wrong]
    settings.LIVE = {"INTROSPECTION": "staff"}
    for name, is_told in (("staff", True), ("nurse", False), ("staff", True)):
        async with Wire(Consumer.as_asgi(), people[name], subprotocol) as wire:
            (error,) = (await wire.ask(query, **variables))["errors"]
            assert ("Did you mean" in error["message"]) is is_told
            assert error["extensions"]["code"] == "BAD_INPUT"
        client = AsyncClient()
        await client.aforce_login(people[name])
        asked = {"query": query, "variables": json.dumps(variables)}
        (error,) = (await client.get("/graphql/", asked)).json()["errors"]
        assert ("Did you mean" in error["message"]) is is_told
