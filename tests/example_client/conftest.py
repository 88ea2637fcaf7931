"""A server on a real socket that says what a test has it say."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from example_client.transport import SUBPROTOCOL


class Socket:
    """The server's end of one connection."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self.ws = ws

    async def send(self, type_, op_id=None, payload=None):
        message = {"type": type_, "id": op_id, "payload": payload}
        await self.ws.send_json({name: value for name, value in message.items() if value})

    async def receive(self, type_):
        message = await self.ws.receive_json(timeout=5)
        assert message["type"] == type_
        return message

    async def acknowledge(self):
        message = await self.receive("connection_init")
        await self.send("connection_ack")
        return message

    async def answer(self, op_id, data):
        await self.send("next", op_id, {"data": data})
        await self.send("complete", op_id)

    async def subscriptions(self):
        """Acknowledge and return the ids of the two subscriptions of `watch`.

        If it asks, its place is "position". `after` has where each subscription begins.
        """
        await self.acknowledge()
        ids, self.after = [], []
        while len(ids) < 2:
            message = await self.receive("subscribe")
            if "position" in message["payload"]["query"]:
                await self.answer(message["id"], {"position": "position"})
            else:
                ids.append(message["id"])
                self.after.append(message["payload"]["variables"]["after"])
        return ids


@pytest.fixture
def serve():
    """Return a context manager that runs `script(socket)` for each connection; gives the URL."""

    @asynccontextmanager
    async def run(script, *, protocols=(SUBPROTOCOL,)):
        async def handler(request):
            ws = web.WebSocketResponse(protocols=protocols)
            await ws.prepare(request)
            await script(Socket(ws))
            return ws

        application = web.Application()
        application.router.add_get("/graphql/", handler)
        async with TestServer(application, host="127.0.0.1") as server:
            yield str(server.make_url("/graphql/"))

    return run
