"""The library's own client: what confirms a subscription to it, and why it needs our way."""

import time

import pytest
from channels_graphql_ws import GraphqlWsConsumer, GraphqlWsResponseError
from channels_graphql_ws.testing import GraphqlWsClient, GraphqlWsTransport
from graphql import GraphQLError

from live.conf import conf
from live.errors import Forbidden
from live.fanout.hub import Hub
from live.socket.heartbeat import UNANSWERED
from tests.live.notes import NOTES, Consumer, Desk, OnNote

pytestmark = pytest.mark.django_db(transaction=True)


class Confirming(Consumer):
    confirm_subscriptions = True


def client_of(consumer, subprotocol="graphql-transport-ws"):
    transport = GraphqlWsTransport(consumer.as_asgi(), "/graphql/", subprotocol=subprotocol)
    return GraphqlWsClient(transport, subprotocol=subprotocol)


async def told(client, id):
    """Return the text of a note that is written now."""
    await OnNote.broadcast_async(payload="goes on")
    return (await client.receive_next(id))["data"]["event"]["text"]


# ---- confirmations


async def test_it_takes_the_librarys_default_confirmation(subprotocol):
    Desk.clear()
    assert Confirming.subscription_confirmation_message == {"data": None, "errors": None}
    client = client_of(Confirming, subprotocol)
    await client.connect_and_init()
    id = await client.subscribe(NOTES)
    assert await told(client, id) == "goes on"
    await client.finalize()


@pytest.mark.parametrize(
    "error", [RuntimeError("Confirmed."), GraphQLError("Confirmed."), Forbidden("Confirmed.")]
)
async def test_it_is_told_exceptions_in_a_confirmation_as_by_the_library(
    subprotocol, error, caplog
):
    Desk.clear()
    message = {"data": {"ok": True}, "errors": [error]}
    consumer = type("Telling", (Confirming,), {"subscription_confirmation_message": message})
    client = client_of(consumer, subprotocol)
    await client.connect_and_init()
    id = await client.start(NOTES)
    with pytest.raises(GraphqlWsResponseError) as refusal:
        await client.receive_next(id)
    expected = {"data": {"ok": True}, "errors": [GraphqlWsConsumer._format_error(error)]}
    assert refusal.value.response["payload"] == expected
    assert "Confirmed." in expected["errors"][0]["message"]
    assert await told(client, id) == "goes on"
    await client.finalize()
    # Nothing went wrong.
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# ---- pings


@pytest.mark.usefixtures("quick")
async def test_the_librarys_client_is_closed_as_it_answers_no_pings():
    class Pinging(Consumer):
        send_ping_every = 0.01

    client = client_of(Pinging)
    await client.connect_and_init()
    for _ in range(UNANSWERED):
        assert await client.transport.receive() == {"type": "ping"}
    await client.wait_disconnect(assert_code=4410)


async def test_without_pings_the_librarys_client_stays(settings):
    class Silent(Consumer):
        send_ping_every = None

    settings.LIVE = {"SEND_PING_EVERY": 0.01}
    client = client_of(Silent)
    await client.connect_and_init()
    [socket] = Hub.current().sockets
    # A day later, as often as it takes to close one that is pinged.
    for _ in range(UNANSWERED + 1):
        socket.heartbeat.active(time.monotonic())
        socket.beat(time.monotonic() + conf.IDLE_TIMEOUT - 1)
    # The answer is what comes next: nothing was sent before it.
    id = await client.start("{ position }")
    answer = await client.transport.receive()
    assert (answer["id"], answer["type"]) == (id, "next")
    await client.finalize()
