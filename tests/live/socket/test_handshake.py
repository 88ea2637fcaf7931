"""A handshake that fails."""

import pytest
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from live.socket.handshake import AtHandshake
from live.socket.protocol import SUBPROTOCOLS

NAME = "Ada Lovelace"


def socket(error, subprotocols):
    async def middleware(scope, receive, send):
        raise error

    async def application(scope, receive, send):
        raise AssertionError("it is not reached")

    at_handshake = AtHandshake(lambda inner: middleware, application)
    return WebsocketCommunicator(at_handshake, "/", subprotocols=subprotocols)


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_client_comes_back_after_the_database_was_away(subprotocol):
    wire = socket(OperationalError(NAME), ["unknown", subprotocol])
    assert await wire.connect() == (True, subprotocol)
    closed = await wire.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4503)
    assert NAME not in str(closed)


async def test_a_client_without_a_subprotocol_is_refused():
    assert (await socket(OperationalError(NAME), []).connect())[0] is False
