"""gql, the Python client that most people use, against a real server."""

import asyncio

import pytest
from gql import Client, GraphQLRequest
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.e2e.clients import CREATE_PATIENT, LOGIN, ON_NEW_PATIENT, SUBPROTOCOLS, Browser

ME = "query { me { username } }"
ADA = {"input": {"name": "Ada", "category": "IX"}}
SECONDS = 60


@pytest.fixture(params=SUBPROTOCOLS)
def subprotocol(request):
    return request.param


@pytest.fixture(params=[WebsocketsTransport, AIOHTTPWebsocketsTransport])
async def session(request, server, subprotocol):
    """A session of gql, connected as nurse."""
    async with Browser(server) as browser:
        # A session of its own: who logs in as somebody else on a socket ends the session.
        assert (await browser.log_in("nurse", "nurse"))["ok"]
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    transport = request.param(
        server.ws_url,
        headers={"Cookie": cookie},
        subprotocols=[subprotocol],
        init_payload={"confirmSubscriptions": True},
    )
    async with Client(transport=transport, execute_timeout=SECONDS) as session:
        yield session


async def test_a_query_and_mutations(session):
    assert await session.execute(GraphQLRequest(ME)) == {"me": {"username": "nurse"}}
    create = GraphQLRequest(CREATE_PATIENT, variable_values=ADA)
    with pytest.raises(TransportQueryError) as refused:
        await session.execute(create)
    assert [error["extensions"]["code"] for error in refused.value.errors] == ["FORBIDDEN"]

    demo = {"username": "demo", "password": "demo"}
    log_in = GraphQLRequest(LOGIN, variable_values=demo)
    assert await session.execute(log_in) == {"login": {"ok": True}}
    assert (await session.execute(create))["createPatient"]["errors"] == []


async def test_a_subscription(server, session):
    watch = GraphQLRequest(ON_NEW_PATIENT, variable_values={"category": "IX"})
    # session.subscribe() is this without results that have no data, as the confirmation.
    events = session.transport.subscribe(watch)
    async with asyncio.timeout(SECONDS), Browser(server, "demo") as browser:
        assert (await anext(events)).data is None
        for name, category in (("Bo", "X"), ("Ada", "IX")):
            patient = {"name": name, "category": category}
            await browser.post(CREATE_PATIENT, {"input": patient})
        event = await anext(events)
        await events.aclose()
    assert event.errors is None
    assert event.data["onNewPatient"]["message"] == "New patient added: Ada"
