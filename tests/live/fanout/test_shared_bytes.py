"""Clients of both subprotocols are one audience: an event is encoded once for all of them."""

from contextlib import AsyncExitStack

import pytest

from live.fanout import notification
from live.socket import protocol
from tests.live.notes import NOTES, Desk, connect, write
from tests.live.stage import settled
from tests.live.wire import LEGACY, SUBPROTOCOLS, TRANSPORT_WS

pytestmark = pytest.mark.django_db(transaction=True)
PAYLOAD = '"payload":'
OF_EACH = 3
KINDS = {TRANSPORT_WS: "next", LEGACY: "data"}


@pytest.fixture(autouse=True)
async def _desk():
    Desk.clear()
    yield
    await settled()


@pytest.fixture
def encoded(monkeypatch):
    """Return what is encoded, in order."""
    values = []

    def encode(value, function=protocol.encode):
        values.append(value)
        return function(value)

    for module in (notification, protocol):
        monkeypatch.setattr(module, "encode", encode)
    return values


async def frame_of(wire):
    """Return the next frame's type and id, and its payload as it was sent."""
    message = await wire.receive()
    return message["type"], message["id"], wire.frames[-1].partition(PAYLOAD)[2]


async def test_an_event_is_encoded_once_for_both_subprotocols(encoded):
    async with AsyncExitStack() as stack:
        wires = []
        for number, subprotocol in enumerate(SUBPROTOCOLS * OF_EACH):
            wire = await stack.enter_async_context(connect(subprotocol))
            assert await wire.subscribe(NOTES, f"id {number}") == []
            wires.append(wire)
        encoded.clear()
        await write("é")
        got = [await frame_of(wire) for wire in wires]
    assert [(kind, id) for kind, id, _ in got] == [
        (KINDS[subprotocol], f"id {number}")
        for number, subprotocol in enumerate(SUBPROTOCOLS * OF_EACH)
    ]
    assert '"text":"é"' in got[0][2]
    assert {payload for _, _, payload in got} == {got[0][2]}
    assert len(encoded) == 1
    assert Desk.runs == ["é"]
