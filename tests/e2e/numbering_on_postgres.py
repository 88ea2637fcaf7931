"""Numbers that are given after the commit: run by test_log_postgres.py on a real PostgreSQL."""

import threading

import pytest
from django.db import connection, transaction

from live.log import counter, numbering, records, store
from live.log.announcer import announcer
from live.log.append import forget_all
from live.log.append import write as broadcast
from live.log.entry import Entry
from live.log.numbering_after_commit import MOST_AT_ONCE
from live.log.pending import settled_end
from live.models import Log, PendingEvent
from tests.e2e.held import Held, connected_threads, quickly, wait_for_waiting
from tests.live.log.writing import append, held, write
from tests.live.wire import TIMEOUT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def threads():
    """Threads whose connections are closed when they end."""
    with connected_threads(8) as pool:
        yield pool


def commit(*texts):
    """Append in a transaction of its own, and leave the records pending."""
    with transaction.atomic():
        write(*texts)


def names():
    return [text for _, text in held()]


# ---- who numbers


def test_what_is_committed_is_numbered_without_anybody_who_asks():
    broadcast(records.event(["group"], b"one"))
    assert announcer().flush(TIMEOUT)
    assert (counter.end().number, PendingEvent.objects.count()) == (1, 0)


def test_the_position_comes_after_what_was_committed():
    commit("one", "two")
    assert store.position() == store.position()
    assert counter.end().number == 2


def test_a_transaction_numbers_nothing_that_it_might_take_back():
    commit("one")
    with transaction.atomic():
        write("two")
        assert numbering.number() is None
        assert settled_end().number == 0
    assert names() == ["one", "two"]


@pytest.mark.parametrize("count", [0, 1, MOST_AT_ONCE, MOST_AT_ONCE + 1, 3 * MOST_AT_ONCE - 1])
def test_many_are_numbered_in_parts(count):
    texts = [str(number) for number in range(count)]
    if texts:
        commit(*texts)
    parts = list(iter(numbering.number, None))
    assert [record.decode() for part in parts for record in part.records] == texts
    assert all(len(part.records) <= MOST_AT_ONCE for part in parts)
    assert [part.is_part for part in parts if len(part.records) < MOST_AT_ONCE] in ([], [False])
    assert held() == list(enumerate(texts, 1))


def test_nothing_is_lost_where_the_counter_has_no_row():
    Log.objects.all().delete()
    commit("one")
    assert numbering.number().records == [b"one"]
    assert held() == [(1, "one")]


def test_a_doorbell_needs_no_records(settings):
    settings.LIVE = {"BROADCAST": "doorbell"}
    commit("one", "two")
    assert numbering.number() == ((counter.end().epoch, 2), [], False)
    assert names() == ["one", "two"]


def test_who_numbers_waits_for_another_and_sees_what_was_committed_meanwhile(threads):
    def lock():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock('live_log'::regclass::oid::int, 0)")

    other = Held(threads, lock)
    commit("one")
    waiting = threads.submit(numbering.number)
    wait_for_waiting()
    with quickly():
        commit("two")
    other.let()
    assert waiting.result(TIMEOUT).records == [b"one", b"two"]


def test_many_who_write_and_number_at_once(threads):
    over, count = threading.Event(), 150

    def number():
        with_numbers = []
        while not over.is_set():
            numbered = numbering.number()
            if numbered:
                end, told = numbered.end.number, numbered.records
                with_numbers += enumerate(told, end - len(told) + 1)
        return with_numbers

    numberers = [threads.submit(number) for _ in range(3)]
    writers = [
        threads.submit(lambda name=name: [commit(f"{name}{n}") for n in range(count)])
        for name in "abcd"
    ]
    for writer in writers:
        writer.result(TIMEOUT)
    settled_end()
    over.set()
    told = [record for each in numberers for record in each.result(TIMEOUT)]
    left = {number for number, _ in held()} - {number for number, _ in told}
    assert len(told) == len(dict(told)) >= 4 * count - len(left)
    for name in "abcd":
        assert [t for t in names() if t[0] == name] == [f"{name}{n}" for n in range(count)]


# ---- rights


def rights(name):
    return Entry(name.encode(), urgent=True)


def test_a_loss_comes_before_an_event_that_was_written_earlier_and_committed_later(threads):
    event = Held(threads, lambda: write("event"))
    with transaction.atomic():
        numbering.append([rights("loss")])
    event.let()
    assert names() == ["loss", "event"]


def test_losses_come_before_the_events_of_many_in_the_order_of_their_commits():
    commit(*map(str, range(MOST_AT_ONCE + 1)))
    for name in ("first loss", "second loss"):
        with transaction.atomic():
            numbering.append([rights(name)])
    assert names()[:3] == ["first loss", "second loss", "0"]


# ---- what is forgotten


def about(text, *, forgets=False):
    return Entry(text.encode(), "patient:1", f"{text} emptied".encode(), forgets)


def commit_about(*texts):
    with transaction.atomic():
        numbering.append([about(text) for text in texts])


def move():
    numbering.append([about("moved", forgets=True)])


MOVED = ["one emptied", "other", "moved"]


def test_forgotten_is_what_has_a_number():
    commit_about("one")
    append("other")
    with transaction.atomic():
        move()
    assert [packed for _, packed in store.read(1, 2)] == [b"one emptied", b"other"]
    assert names() == MOVED


def test_forgotten_is_what_is_pending():
    commit_about("one")
    commit("other")
    with transaction.atomic():
        move()
    assert names() == MOVED


def test_forgotten_is_what_got_its_number_while_the_transaction_was_open(threads):
    commit_about("one")
    commit("other")
    moving = Held(threads, move)
    with quickly():
        assert names() == ["one", "other"]
    moving.let()
    assert names() == MOVED


def test_what_comes_after_it_is_kept():
    with transaction.atomic():
        move()
    commit_about("back")
    with transaction.atomic():
        move()
    commit_about("again")
    assert names() == ["moved emptied", "back emptied", "moved", "again"]


def test_all_about_what_is_deleted_without_an_event():
    commit_about("one")
    append("other")
    with transaction.atomic():
        forget_all("patient:1")
    assert [packed for _, packed in store.read(1, 2)] == [b"one emptied", b"other"]


@pytest.mark.parametrize("rolls_back", [False, True])
def test_who_forgets_and_does_not_commit_holds_up_no_numbers(threads, rolls_back):
    commit_about("one")
    settled_end()
    commit_about("two")
    first = Held(threads, move, rolls_back)
    with quickly():
        commit("other")
        assert names() == ["one", "two", "other"]
    first.let()
    assert names()[0] == ("one" if rolls_back else "one emptied")
