"""A connection that is initialised and, for a named user, logged in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from channels_graphql_ws.client import GraphqlWsClient

from example_client import operations
from example_client.errors import NotAnEndpoint, NotPermitted, Refused, Unreachable, from_graphql
from example_client.transport import CONNECT_SECONDS, SUBPROTOCOL, Transport, no_endpoint

# Longer than any page of patients takes on a busy server.
ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Endpoint:
    """Where to connect and as whom; anonymous without a user."""

    url: str
    user: str | None = None
    password: str = field(default="", repr=False)
    # A PEM file of certificates to trust beside the system's.
    ca: str | None = None


class Client(GraphqlWsClient):
    """The library's client, which here answers pings, understands `error`, and names failures.

    Methods raise the errors of `example_client.errors`.
    """

    def __init__(self, url: str, ca: str | None = None) -> None:
        super().__init__(Transport(url, ca=ca), subprotocol=SUBPROTOCOL)
        self._url = url

    async def connect_and_init(self) -> None:
        """Connect and wait for the server's `connection_ack`.

        The library sends the string "" as payload, which the protocol does not allow.
        """
        await self.transport.connect()
        payload = {"confirmSubscriptions": True}
        await self.transport.send({"type": "connection_init", "payload": payload})
        async with answer_within(CONNECT_SECONDS):
            message = await self.receive_message()
        if message.get("type") != "connection_ack":
            raise NotAnEndpoint(no_endpoint(self._url, "it does not acknowledge the connection"))
        self._is_connected = True

    async def receive_message(self) -> dict[str, Any]:
        """Return the next message that is no ping or pong; wait for ever.

        A server may close the connection of a client that answers no ping.
        """
        while True:
            message: dict[str, Any] = await self.transport.receive()
            if message.get("type") == "ping":
                await self.transport.send({"type": "pong"})
            elif message.get("type") != "pong":
                return message

    async def execute(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a query or mutation and return its data.

        For a connection without subscriptions: what arrives for them meanwhile is lost.

        The library's waits for a `complete`, which never follows an `error`.
        """
        op_id = await self.start(query, variables=variables)
        async with answer_within(ANSWER_SECONDS):
            return await self._result(op_id)

    async def _result(self, op_id: str) -> dict[str, Any]:
        payload: Any = None
        while True:
            message = await self.receive_message()
            if message.get("id") != op_id:
                continue
            if message.get("type") == "error":
                raise from_graphql(message.get("payload"))
            if message.get("type") == "complete":
                return data_of(payload)
            payload = message.get("payload")

    async def log_in(self, user: str, password: str) -> None:
        """Log the connection in; raise NotPermitted where name or password is wrong."""
        variables = {"username": user, "password": password}
        data = await self.execute(operations.LOGIN, variables)
        if not (data.get("login") or {}).get("ok"):
            raise NotPermitted("the log-in was refused: no such user, or a wrong password")


def data_of(payload: Any) -> dict[str, Any]:
    """Return the data of a result; raise what its errors mean."""
    if not isinstance(payload, dict):
        raise Refused("the server gave no result")
    if payload.get("errors"):
        raise from_graphql(payload["errors"])
    return payload.get("data") or {}


@asynccontextmanager
async def answer_within(seconds: float) -> AsyncIterator[None]:
    """Raise Unreachable where the body takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Unreachable(f"no answer from the server within {seconds:g} s") from None


@asynccontextmanager
async def connected(endpoint: Endpoint) -> AsyncIterator[Client]:
    """Give a client that is connected and logged in; disconnect it in the end."""
    client = Client(endpoint.url, endpoint.ca)
    try:
        await client.connect_and_init()
        if endpoint.user:
            await client.log_in(endpoint.user, endpoint.password)
        yield client
    finally:
        await client.finalize()
