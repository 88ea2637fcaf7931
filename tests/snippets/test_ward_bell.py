"""The README's subscription does what the README says."""

import pytest
from channels_graphql_ws.testing import GraphqlWsClient, GraphqlWsTransport
from django.contrib.auth.models import AnonymousUser, User

from live.socket.consumer import LiveConsumer
from tests.snippets.ward_bell import schema

LISTEN = "subscription ($ward: String!) { onBell(ward: $ward) { text } }"
RING = "mutation ($ward: String!) { ringBell(ward: $ward, text: $ward) { ok } }"


class Consumer(LiveConsumer):
    """Confirms, as the library's test client expects."""

    schema = schema
    confirm_subscriptions = True


class Client(GraphqlWsClient):
    """A client that leaves what it does not wait for to whoever does."""

    async def ring(self, ward):
        return await self.execute(RING, variables={"ward": ward})


async def connect(user):
    """Return a client on a socket of `user`."""

    async def application(scope, receive, send):
        await Consumer.as_asgi()({**scope, "user": user, "session": None}, receive, send)

    client = Client(GraphqlWsTransport(application, "/graphql/"))
    await client.connect_and_init()
    return client


@pytest.mark.django_db(transaction=True)
async def test_who_listens_hears_the_ward_and_no_other():
    user = await User.objects.acreate(username="porter")
    listener, ringer = await connect(user), await connect(user)
    operation = await listener.subscribe(LISTEN, variables={"ward": "A"})
    await ringer.ring("B")
    await ringer.ring("A")
    assert await listener.receive_next(operation) == {"data": {"onBell": {"text": "A"}}}
    await listener.finalize()
    await ringer.finalize()


async def test_nobody_else_may_listen():
    client = await connect(AnonymousUser())
    operation = await client.start(LISTEN, variables={"ward": "A"})
    response = await client.transport.receive()
    assert response["id"] == operation
    assert response["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await client.finalize()
