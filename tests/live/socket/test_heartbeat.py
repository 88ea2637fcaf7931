"""A socket's times, by a clock that the test turns."""

import pytest

from live.socket.close_codes import IDLE, NO_INIT, NO_PONG, TOO_SLOW
from live.socket.heartbeat import Heartbeat, Overdue, Ping

START = 1000.0


class Opened:
    """A socket whose heart is listened to; it remembers its pings and why it was closed."""

    def __init__(self, ping, init_timeout, answers):
        self.now = START
        self.is_new, self.is_used, self.stuck_since = True, False, None
        self.pings, self.closed = 0, None
        self.ping = ping
        self.heart = Heartbeat(self.now, init_timeout=init_timeout, answers_pings=answers)

    def wait(self, seconds):
        """Let seconds pass, beat by beat, until it is closed."""
        until = self.now + seconds
        while self.now < until and self.closed is None:
            self.now = min(self.now + 0.5, until)
            stuck_for = 0.0 if self.stuck_since is None else self.now - self.stuck_since
            due = self.heart.beat(
                self.now, is_new=self.is_new, is_used=self.is_used, stuck_for=stuck_for
            )
            self.pings += due is Ping.DUE
            self.closed = due if isinstance(due, Overdue) else None

    def initialise(self):
        """Send connection_init, and be admitted."""
        self.is_new = False
        self.heart.initialised(self.now, self.ping)


@pytest.fixture
def open_socket(settings):
    """Return a function that opens a socket."""

    def open_it(ping=20, init_timeout=10, idle=3600, answers=True):
        settings.LIVE = {"IDLE_TIMEOUT": idle, "SLOW_CLIENT_SECONDS": 30}
        return Opened(ping, init_timeout, answers)

    return open_it


@pytest.mark.parametrize("answers", [True, False])
def test_a_socket_without_init_is_closed_in_time(open_socket, answers):
    opened = open_socket(answers=answers)
    opened.wait(10)
    assert opened.closed is None
    opened.wait(0.5)
    assert opened.closed == Overdue("init", NO_INIT)
    assert opened.pings == 0


def test_messages_do_not_make_up_for_the_init(open_socket):
    opened = open_socket()
    for _ in range(11):
        opened.heart.heard()
        opened.wait(1)
    assert opened.closed == Overdue("init", NO_INIT)


def test_the_client_is_not_blamed_for_a_slow_admission(open_socket):
    opened = open_socket()
    opened.is_new = False
    opened.wait(60)
    assert opened.closed is None


@pytest.mark.parametrize("without", [0, None])
def test_a_wait_of_nought_has_no_end(open_socket, without):
    opened = open_socket(init_timeout=without)
    opened.wait(100)
    assert opened.closed is None


def test_pings_begin_with_the_ack(open_socket):
    opened = open_socket()
    opened.wait(5)
    opened.initialise()
    opened.wait(19.5)
    assert opened.pings == 0
    opened.wait(0.5)
    assert opened.pings == 1


def test_a_peer_that_misses_two_pings_is_closed_at_the_third(open_socket):
    opened = open_socket()
    opened.initialise()
    opened.wait(59.5)
    assert (opened.pings, opened.closed) == (2, None)
    opened.wait(0.5)
    assert (opened.pings, opened.closed) == (2, Overdue("pong", NO_PONG))


def test_any_message_is_a_sign_of_life(open_socket):
    opened = open_socket()
    opened.initialise()
    opened.wait(50)
    opened.heart.heard()
    opened.wait(40)
    assert (opened.pings, opened.closed) == (4, None)
    opened.wait(10)
    assert opened.closed == Overdue("pong", NO_PONG)


def test_a_legacy_client_gets_keep_alives_and_need_not_answer(open_socket):
    opened = open_socket(answers=False)
    opened.initialise()
    opened.wait(100)
    assert (opened.pings, opened.closed) == (5, None)


@pytest.mark.parametrize("without", [0, None])
@pytest.mark.parametrize("answers", [True, False])
def test_an_interval_of_nought_is_no_pings(open_socket, answers, without):
    opened = open_socket(ping=without, answers=answers)
    opened.initialise()
    opened.wait(100)
    assert (opened.pings, opened.closed) == (0, None)


@pytest.mark.parametrize("ping", [0, 20])
def test_a_socket_on_which_nothing_runs_is_closed_as_idle(open_socket, ping):
    opened = open_socket(ping=ping, idle=100)
    opened.initialise()
    for _ in range(100):
        opened.heart.heard()  # answering pings is no use of the socket
        opened.wait(1)
    assert opened.closed is None
    opened.wait(1)
    assert opened.closed == Overdue("idle", IDLE)


def test_a_socket_with_an_operation_is_not_idle(open_socket):
    opened = open_socket(ping=0, idle=100)
    opened.initialise()
    opened.is_used = True
    opened.wait(500)
    assert opened.closed is None
    opened.is_used = False
    opened.heart.active(opened.now)  # as at its end
    opened.wait(100)
    assert opened.closed is None
    opened.wait(0.5)
    assert opened.closed == Overdue("idle", IDLE)


@pytest.mark.parametrize("answers", [True, False])
def test_a_client_that_takes_nothing_for_too_long_is_closed(open_socket, answers):
    """However much it says: what it was sent stays with the server."""
    opened = open_socket(answers=answers)
    opened.initialise()
    opened.wait(5)
    opened.stuck_since = opened.now
    for _ in range(30):
        opened.heart.heard()
        opened.wait(1)
    assert opened.closed is None
    opened.wait(0.5)
    assert opened.closed == Overdue("slow_client", TOO_SLOW)


def test_a_client_that_takes_a_frame_now_and_then_is_not_closed(open_socket):
    opened = open_socket(ping=0)
    opened.initialise()
    for _ in range(10):
        opened.stuck_since = opened.now
        opened.wait(29)
    assert opened.closed is None
