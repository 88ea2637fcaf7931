"""Daphne's protocol, told to answer no pings while its client does not read."""

from functools import partial

import pytest

from live.socket.daphne import with_backpressure


class Protocol:
    """What is used of Daphne's."""

    def __init__(self):
        self.pongs = []

    def handle_reply(self, message):
        raise AssertionError("nothing is sent")

    def registerProducer(self, producer, streaming):
        self.producer = producer

    def unregisterProducer(self):
        pass

    def onPing(self, payload):
        self.sendPong(payload)

    def sendPong(self, payload):
        self.pongs.append(payload)


@pytest.mark.parametrize("reads", [True, False])
def test_pings_of_who_does_not_read_are_not_answered(reads):
    protocol = Protocol()
    with_backpressure(partial(Protocol.handle_reply, protocol))
    if not reads:
        protocol.producer.pauseProducing()
    protocol.onPing(b"asked")
    assert protocol.pongs == ([b"asked"] if reads else [])
    protocol.producer.resumeProducing()
    protocol.onPing(b"again")
    assert protocol.pongs[-1] == b"again"
