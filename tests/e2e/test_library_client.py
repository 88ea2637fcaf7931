"""The library's own client over this project's transport, against a real server."""

from contextlib import asynccontextmanager

import pytest
from channels_graphql_ws import GraphqlWsClient, GraphqlWsResponseError

from example_client.transport import Transport
from tests.e2e.clients import CREATE_PATIENT, ON_NEW_PATIENT, SUBPROTOCOLS, Browser

ME = "query { me { username } }"


class SpeakingTransport(Transport):
    """Speaks either subprotocol; the library's client tells its transport neither that, nor
    what to put into `connection_init`.
    """

    def __init__(self, subprotocol: str, confirm: bool, url: str, **kwargs) -> None:
        super().__init__(url, **kwargs)
        self._subprotocol = subprotocol
        self._confirm = confirm

    async def connect(self, timeout=None) -> None:  # noqa: ASYNC109  the library's interface
        await super().connect(timeout, self._subprotocol)

    async def send(self, message) -> None:
        if message["type"] == "connection_init" and self._confirm:
            message = {**message, "payload": {"confirmSubscriptions": True}}
        await super().send(message)


@asynccontextmanager
async def connected(server, subprotocol, confirm=False):
    """The library's client, connected as nurse."""
    async with Browser(server, "nurse") as browser:
        cookies = browser.cookies
    transport = SpeakingTransport(subprotocol, confirm, server.ws_url, cookies=cookies)
    client = GraphqlWsClient(transport, subprotocol)
    await client.connect_and_init()
    try:
        yield client
    finally:
        await client.finalize()


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_query_and_a_mutation(server, subprotocol):
    async with connected(server, subprotocol) as client:
        assert await client.execute(ME) == {"data": {"me": {"username": "nurse"}}}
        with pytest.raises(GraphqlWsResponseError) as refused:
            await client.execute(CREATE_PATIENT, {"input": {"name": "Ada", "category": "IX"}})
    (error,) = refused.value.response["payload"]["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_subscription(server, subprotocol):
    async with connected(server, subprotocol, confirm=True) as client:
        op_id = await client.subscribe(ON_NEW_PATIENT, variables={"category": "IX"})
        async with Browser(server, "demo") as browser:
            for name, category in (("Bo", "X"), ("Ada", "IX")):
                patient = {"name": name, "category": category}
                await browser.post(CREATE_PATIENT, {"input": patient})
        event = await client.receive_next(op_id)
        assert event["data"]["onNewPatient"]["message"] == "New patient added: Ada"
