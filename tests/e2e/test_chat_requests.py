"""The library's seven requests, word for word, by every way there is to send them."""

import sqlite3
from contextlib import asynccontextmanager, closing

import pytest
from channels_graphql_ws import GraphqlWsClient

from tests.e2e.chat import (
    ANSWERED,
    HERS,
    LOG_IN,
    MAKE_USER,
    READ,
    READ_AGAIN,
    SEND,
    SEND_AS_USER,
    SENT,
    SUBSCRIBE,
    USER,
)
from tests.e2e.clients import SUBPROTOCOLS, Browser, Client, Refused, data_of
from tests.e2e.faults.installation import PLAIN_HTTP
from tests.e2e.servers import Server
from tests.e2e.test_library_client import SpeakingTransport


@pytest.fixture(scope="module")
def kittens(server):
    """The server, with the user that the requests log in as."""
    server.shell(MAKE_USER)
    return server


@pytest.fixture
def chat(kittens):
    """The server, without what an earlier test wrote."""
    with closing(sqlite3.connect(kittens.folder / "db.sqlite3", timeout=20)) as database, database:
        database.execute("DELETE FROM careteam_chatmessage")
    return kittens


@asynccontextmanager
async def library_client(server, subprotocol):
    """The library's Python client over the example client's transport, as nobody."""
    client = GraphqlWsClient(SpeakingTransport(subprotocol, True, server.ws_url), subprotocol)
    await client.connect_and_init()
    try:
        yield client
    finally:
        await client.finalize()


# ---- the six that are answered


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_over_a_socket(chat, subprotocol):
    async with Client(chat, subprotocol=subprotocol) as client:
        for request, answer in ANSWERED:
            assert await client.execute(request) == answer


async def test_over_http(chat):
    async with Browser(chat) as browser:
        for request, answer in ANSWERED:
            assert data_of(await browser.post(request)) == answer


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_by_the_python_client(chat, subprotocol):
    async with library_client(chat, subprotocol) as client:
        for request, answer in ANSWERED:
            assert await client.execute(request) == {"data": answer}


# ---- the one that goes on


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_the_subscription_over_a_socket(chat, subprotocol):
    """Told of what others send, and by the user's other socket; not of what it sent itself."""
    watching = Client(chat, subprotocol=subprotocol)
    async with watching, Client(chat, subprotocol=subprotocol) as other:
        for client in (watching, other):
            assert await client.execute(LOG_IN) == {"login": {"ok": True}}
        events = [await client.subscribe(SUBSCRIBE) for client in (watching, other)]
        assert await watching.execute(SEND_AS_USER) == SENT
        assert await other.execute(HERS) == SENT
        hers = {"text": "It's you!", "sender": "user"}
        assert await events[0].next() == {"onNewChatMessage": hers}
        assert await events[1].next() == {"onNewChatMessage": USER}


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_the_subscription_by_the_python_client(chat, subprotocol):
    async with library_client(chat, subprotocol) as client, Browser(chat) as browser:
        op_id = await client.subscribe(SUBSCRIBE)
        assert data_of(await browser.post(SEND)) == SENT
        event = await client.receive_next(op_id)
        told = {"text": "Hi all!", "sender": "Anonymous"}
        assert event == {"data": {"onNewChatMessage": told}}


async def test_the_subscription_over_http_is_refused(chat):
    async with Browser(chat) as browser:
        answer = await browser.post(SUBSCRIBE)
    assert "WebSocket" in answer["errors"][0]["message"]
    assert not answer.get("data")


# ---- where no room is open to nobody


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """A server with the settings that production begins with, but for TLS."""
    running = Server(tmp_path_factory.mktemp("production"), environment=PLAIN_HTTP)
    yield running.prepare().start()
    running.stop()


async def test_by_default_kittens_is_for_those_who_are_logged_in(production):
    """The demo opens it to everybody; a hospital names such rooms in CARETEAM."""
    async with Browser(production) as browser:
        for request in (READ, SEND, READ_AGAIN, SEND_AS_USER):
            with pytest.raises(Refused) as refused:
                data_of(await browser.post(request))
            assert refused.value.codes == ["UNAUTHENTICATED"]
    async with Client(production) as nobody, Client(production, user="visitor") as somebody:
        with pytest.raises(Refused) as refused:
            await nobody.subscribe(SUBSCRIBE)
        assert refused.value.codes == ["UNAUTHENTICATED"]
        assert await somebody.execute(READ) == {"history": []}
