"""The way to the channel layer: in order, and nobody waits for it, whatever the layer does."""

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from live import metrics
from live.concurrency import supervision
from live.log import announcer
from live.log.announcer import HUB_GROUP, Announcer

SECONDS = 20
SECRET = "Ada Lovelace"


class Layer:
    """A channel layer that remembers; it can be held, and made to raise."""

    def __init__(self):
        self.sent = []
        self.failure = None
        self.asked = threading.Event()
        self._open = threading.Event()
        self._open.set()

    async def group_send(self, group, message):
        assert group == HUB_GROUP
        self.asked.set()
        while not self._open.is_set():  # noqa: ASYNC110  a thread's event
            await asyncio.sleep(0.001)
        if self.failure:
            raise self.failure
        self.sent.append(message)

    def hold(self):
        """Let whoever sends wait until `release`."""
        self.asked.clear()
        self._open.clear()

    def release(self):
        self._open.set()


@pytest.fixture
def layer(monkeypatch):
    layer = Layer()
    monkeypatch.setattr(announcer, "get_channel_layer", lambda: layer)
    yield layer
    layer.release()


@pytest.fixture
def sending(layer):
    """A sender of the test's own."""
    sending = Announcer()
    yield sending
    layer.release()
    assert sending.flush(SECONDS)
    sending.close()


def logged(last, *records):
    return {"type": "live.log", "epoch": 1, "last": last, "records": list(records)}


def passing(number):
    return {"type": "live.passing", "record": number}


def stuck(sending, layer):
    """Have `sending` wait for the layer with one message in hand."""
    layer.hold()
    sending.put(logged(1, b"1"))
    assert layer.asked.wait(SECONDS)


def test_it_can_be_closed_while_the_layer_has_a_message(layer):
    sending = Announcer()
    stuck(sending, layer)
    closing = threading.Thread(target=sending.close, daemon=True)
    closing.start()
    closing.join(SECONDS)
    assert not closing.is_alive()


# ---- order


def test_messages_are_sent_in_their_order(sending, layer):
    messages = [logged(number, b"x") for number in range(1, 501)]
    for message in messages:
        sending.put(message)
    assert sending.flush(SECONDS)
    assert layer.sent == messages


def test_each_threads_messages_are_sent_in_their_order(sending, layer):
    def put(name):
        for number in range(200):
            sending.put(passing((name, number)))

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(put, range(5)))
    assert sending.flush(SECONDS)
    for name in range(5):
        numbers = [m["record"][1] for m in layer.sent if m["record"][0] == name]
        assert numbers == list(range(200))


def test_nobody_waits_for_the_layer(sending, layer):
    stuck(sending, layer)
    for number in range(2, 10):
        sending.put(logged(number, b"x"))
    assert not sending.flush(0)
    assert layer.sent == []
    layer.release()
    assert sending.flush(SECONDS)
    assert [message["last"] for message in layer.sent] == list(range(1, 10))


def test_there_is_nothing_to_wait_for_at_first(sending):
    assert sending.flush(0)


# ---- a layer that is slow


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(announcer, "MOST_WAITING", 4)


def shrunk():
    return metrics.shrunk._value.get()


@pytest.mark.usefixtures("few")
def test_what_waits_shrinks_to_the_newest_place_of_the_log(sending, layer):
    before = shrunk()
    stuck(sending, layer)
    for number in range(2, 6):
        sending.put(logged(number, b"x"))
    assert shrunk() == before
    sending.put(logged(6, b"6"))
    assert shrunk() == before + 1
    layer.release()
    assert sending.flush(SECONDS)
    assert layer.sent == [logged(1, b"1"), logged(5), logged(6, b"6")]


@pytest.mark.usefixtures("few")
def test_it_shrinks_again_and_again(sending, layer):
    stuck(sending, layer)
    for number in range(2, 1000):
        sending.put(logged(number, b"x"))
    layer.release()
    assert sending.flush(SECONDS)
    assert len(layer.sent) <= 1 + 4
    assert layer.sent[-1] == logged(999, b"x")
    places = [message["last"] for message in layer.sent]
    assert places == sorted(places)


@pytest.mark.usefixtures("few")
def test_what_is_past_the_log_makes_room(sending, layer):
    """It is at most once; but what is in the log is told of all the same."""
    stuck(sending, layer)
    for message in (logged(2, b"2"), passing(1), passing(2), passing(3), passing(4)):
        sending.put(message)
    layer.release()
    assert sending.flush(SECONDS)
    assert layer.sent == [logged(1, b"1"), logged(2), passing(4)]


@pytest.mark.usefixtures("few")
def test_where_only_such_wait_nothing_is_left_of_them(sending, layer):
    stuck(sending, layer)
    for number in range(5):
        sending.put(passing(number))
    layer.release()
    assert sending.flush(SECONDS)
    assert layer.sent == [logged(1, b"1"), passing(4)]


def test_a_message_that_takes_too_long_is_given_up(sending, layer, monkeypatch, caplog):
    monkeypatch.setattr(announcer, "SEND_SECONDS", 0.01)
    stuck(sending, layer)
    assert sending.flush(SECONDS)
    layer.release()
    sending.put(logged(2, b"2"))
    assert sending.flush(SECONDS)
    assert layer.sent == [logged(2, b"2")]
    assert "The channel layer is away: TimeoutError" in caplog.text


# ---- a layer that fails


class Unexpected(Exception):
    """What no layer is known to raise."""


FAILURES = [ConnectionRefusedError(SECRET), Unexpected(SECRET), asyncio.CancelledError(SECRET)]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failure_costs_one_message(sending, layer, failure, caplog):
    layer.failure = failure
    sending.put(logged(1, b"1"))
    assert sending.flush(SECONDS)
    layer.failure = None
    sending.put(logged(2, b"2"))
    assert sending.flush(SECONDS)
    assert layer.sent == [logged(2, b"2")]
    assert f"The channel layer is away: {type(failure).__name__}" in caplog.text
    assert SECRET not in caplog.text


def test_a_layer_that_stays_away_is_reported_once(sending, layer, caplog):
    caplog.set_level(logging.ERROR)
    for _ in range(2):
        layer.failure = ConnectionRefusedError(SECRET)
        for number in range(5):
            sending.put(logged(number))
        assert sending.flush(SECONDS)
        layer.failure = None
        sending.put(logged(9))
        assert sending.flush(SECONDS)
    assert len(caplog.records) == 2


def test_what_waits_is_sent_after_the_thread_has_failed(sending, layer, monkeypatch, caplog):
    monkeypatch.setattr(supervision, "FIRST_DELAY_SECONDS", 0.001)
    send = Announcer._send

    async def fail_once(self, message):
        monkeypatch.setattr(Announcer, "_send", send)
        raise Unexpected(SECRET)

    restarts = metrics.restarts.labels(task="send")
    before = restarts._value.get()
    monkeypatch.setattr(Announcer, "_send", fail_once)
    for number in (1, 2, 3):
        sending.put(logged(number, b"x"))
    assert sending.flush(SECONDS)
    # What it had in hand is in the log; what waited is not forgotten.
    assert layer.sent == [logged(2, b"x"), logged(3, b"x")]
    assert restarts._value.get() == before + 1
    assert "The task 'send' failed, and starts again: Unexpected" in caplog.text
    assert SECRET not in caplog.text


# ---- processes


def test_a_process_has_one():
    assert announcer.announcer() is announcer.announcer()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_its_own(layer):
    """Threads do not survive a fork: a Celery worker's children would send nothing."""
    parents = announcer.announcer()
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        sent = False
        try:
            mine = announcer.announcer()
            mine.put(logged(1, b"1"))
            sent = mine is not parents and mine.flush(SECONDS) and layer.sent == [logged(1, b"1")]
        finally:
            os.write(writes, b"sent" if sent else b"lost")
            os._exit(0)
    os.close(writes)
    assert os.read(reads, 4) == b"sent"
    os.waitpid(child, 0)
