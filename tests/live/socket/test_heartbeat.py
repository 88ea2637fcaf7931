"""A socket's times, by a clock that the test turns."""

import math
from types import SimpleNamespace

import pytest

from live.socket.heartbeat import Heartbeat
from live.socket.protocol import LEGACY_WS, TRANSPORT_WS, CloseCode, Connection


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Socket:
    """What a heartbeat needs of a socket; it remembers what was sent and why it was closed."""

    def __init__(self, subprotocol, ping, init_timeout):
        self.protocol = Connection(subprotocol)
        self.send_ping_every, self.connection_init_wait_timeout = ping, init_timeout
        self.operations = {}
        self.send_queue = self
        self.stuck_since = math.inf
        self.closed = False
        self.sent = []
        self.close = None
        self.heartbeat = Heartbeat(self)

    def stuck_for(self, now):
        return max(0.0, now - self.stuck_since)

    def too_slow(self):
        self.closed, self.close = True, "too slow"

    def send_message(self, message):
        self.sent.append(message["type"])

    def close_with(self, close):
        self.closed, self.close = True, (close.code, close.reason)

    def initialise(self):
        """Send connection_init and admit the client."""
        self.protocol.receive('{"type": "connection_init"}')
        self.protocol.acknowledge({})
        self.heartbeat.initialised()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("live.socket.heartbeat.time", clock)
    return clock


@pytest.fixture
def open_socket(clock, settings):
    """Return a function that opens a socket and one that lets seconds pass, beat by beat."""

    def open_it(subprotocol=TRANSPORT_WS, ping=20, init_timeout=10, idle=3600):
        settings.LIVE = {"IDLE_TIMEOUT": idle, "SLOW_CLIENT_SECONDS": 30}
        socket = Socket(subprotocol, ping, init_timeout)

        def wait(seconds):
            until = clock.now + seconds
            while clock.now < until:
                clock.now = min(clock.now + 0.5, until)
                socket.heartbeat.beat(clock.now)

        return SimpleNamespace(socket=socket, wait=wait)

    return open_it


UNINITIALISED = (CloseCode.CONNECTION_INIT_TIMEOUT, "Connection initialisation timeout")
SILENT = (CloseCode.NOT_RESPONDING, "Pings are not answered")
IDLE = (CloseCode.NOT_RESPONDING, "Idle for too long")


@pytest.mark.parametrize("subprotocol", [TRANSPORT_WS, LEGACY_WS])
def test_a_socket_without_init_is_closed_in_time(open_socket, subprotocol):
    opened = open_socket(subprotocol)
    opened.wait(10)
    assert opened.socket.close is None
    opened.wait(0.5)
    assert opened.socket.close == UNINITIALISED
    assert opened.socket.sent == []


def test_messages_do_not_make_up_for_the_init(open_socket):
    opened = open_socket()
    for _ in range(11):
        opened.socket.heartbeat.heard()
        opened.wait(1)
    assert opened.socket.close == UNINITIALISED


def test_the_client_is_not_blamed_for_a_slow_admission(open_socket):
    opened = open_socket()
    opened.socket.protocol.receive('{"type": "connection_init"}')
    opened.wait(60)
    assert opened.socket.close is None


def test_a_wait_of_nought_has_no_end(open_socket):
    opened = open_socket(init_timeout=0)
    opened.wait(100)
    assert opened.socket.close is None


def test_pings_begin_with_the_ack(open_socket):
    opened = open_socket()
    opened.wait(5)
    opened.socket.initialise()
    opened.wait(19.5)
    assert opened.socket.sent == []
    opened.wait(0.5)
    assert opened.socket.sent == ["ping"]


def test_a_peer_that_misses_two_pings_is_closed_at_the_third(open_socket):
    opened = open_socket()
    opened.socket.initialise()
    opened.wait(59.5)
    assert (opened.socket.sent, opened.socket.close) == (["ping"] * 2, None)
    opened.wait(0.5)
    assert (opened.socket.sent, opened.socket.close) == (["ping"] * 2, SILENT)


def test_any_message_is_a_sign_of_life(open_socket):
    opened = open_socket()
    opened.socket.initialise()
    opened.wait(50)
    opened.socket.heartbeat.heard()
    opened.wait(40)
    assert (opened.socket.sent, opened.socket.close) == (["ping"] * 4, None)
    opened.wait(10)
    assert opened.socket.close == SILENT


def test_a_legacy_client_gets_keep_alives_and_need_not_answer(open_socket):
    opened = open_socket(LEGACY_WS)
    opened.socket.initialise()
    assert opened.socket.sent == ["ka"]
    opened.wait(100)
    assert (opened.socket.sent, opened.socket.close) == (["ka"] * 6, None)


@pytest.mark.parametrize("subprotocol", [TRANSPORT_WS, LEGACY_WS])
def test_an_interval_of_nought_is_no_pings(open_socket, subprotocol):
    opened = open_socket(subprotocol, ping=0)
    opened.socket.initialise()
    opened.wait(100)
    assert (opened.socket.sent, opened.socket.close) == ([], None)


@pytest.mark.parametrize("ping", [0, 20])
def test_a_socket_on_which_nothing_runs_is_closed_as_idle(open_socket, ping):
    opened = open_socket(ping=ping, idle=100)
    opened.socket.initialise()
    for _ in range(100):
        opened.socket.heartbeat.heard()  # answering pings is no use of the socket
        opened.wait(1)
    assert opened.socket.close is None
    opened.wait(1)
    assert opened.socket.close == IDLE


def test_a_socket_with_an_operation_is_not_idle(open_socket):
    opened = open_socket(ping=0, idle=100)
    opened.socket.initialise()
    opened.socket.operations["1"] = object()
    opened.wait(500)
    assert opened.socket.close is None
    opened.socket.operations.clear()
    opened.socket.heartbeat.active()  # as at its end
    opened.wait(100)
    assert opened.socket.close is None
    opened.wait(0.5)
    assert opened.socket.close == IDLE


@pytest.mark.parametrize("subprotocol", [TRANSPORT_WS, LEGACY_WS])
def test_a_client_that_takes_nothing_for_too_long_is_closed(open_socket, clock, subprotocol):
    """However much it says: what it was sent stays with the server."""
    opened = open_socket(subprotocol)
    opened.socket.initialise()
    opened.wait(5)
    opened.socket.stuck_since = clock.now
    for _ in range(30):
        opened.socket.heartbeat.heard()
        opened.wait(1)
    assert opened.socket.close is None
    opened.wait(0.5)
    assert opened.socket.close == "too slow"


def test_a_client_that_takes_a_frame_now_and_then_is_not_closed(open_socket, clock):
    opened = open_socket(ping=0)
    opened.socket.initialise()
    for _ in range(10):
        opened.socket.stuck_since = clock.now
        opened.wait(29)
    assert opened.socket.close is None


def test_a_closed_socket_is_left_alone(open_socket):
    opened = open_socket()
    opened.socket.initialise()
    opened.socket.closed, opened.socket.stuck_since = True, 0.0
    opened.wait(100)
    assert (opened.socket.sent, opened.socket.close) == ([], None)
