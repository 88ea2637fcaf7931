"""Daphne's requests, on Twisted's own connection without a network."""

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel

from server.daphne_requests import SECONDS_TO_TAKE_THE_ANSWER, BoundedRequest

BOUND = 1000


class Request(BoundedRequest):
    """Has no Daphne behind it."""

    def __init__(self, *args):
        super().__init__(*args)
        self.processed = False

    def process(self):
        self.processed = True


class Daphne:
    """What a request tells its server."""

    server = property(lambda self: self)

    def protocol_connected(self, protocol):
        self.request = protocol

    def protocol_disconnected(self, protocol):
        pass


@pytest.fixture
def connection(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = BOUND
    settings.LIVE = {"MAX_MESSAGE_BYTES": 1}
    channel, clock = HTTPChannel(), Clock()
    channel.requestFactory, channel.factory = Request, Daphne()
    channel.callLater = clock.callLater
    channel.clock = clock
    channel.makeConnection(StringTransport())
    return channel


def form(length, *headers):
    lines = ["POST / HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", *headers]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def test_a_form_is_not_parsed_on_the_event_loop(connection):
    connection.dataReceived(form(BOUND) + b"a=1&".ljust(BOUND, b"x"))
    request = connection.factory.request
    assert request.processed
    assert request.args == {}
    assert request.content.read() == b"a=1&".ljust(BOUND, b"x")


def test_nothing_is_kept_of_a_body_that_is_too_large(connection):
    connection.dataReceived(form(BOUND + 1) + b"x" * BOUND)
    assert connection.transport.value().startswith(b"HTTP/1.1 413 ")
    assert connection.factory.request.content.read() == b""
    assert not connection.transport.disconnecting
    connection.dataReceived(b"x")
    assert connection.transport.disconnecting
    assert not connection.factory.request.processed


def test_a_client_that_goes_on_sending_is_cut_off(connection):
    connection.dataReceived(form(BOUND + 1) + b"x")
    connection.clock.advance(SECONDS_TO_TAKE_THE_ANSWER)
    assert connection.transport.disconnected or connection.transport.aborting
