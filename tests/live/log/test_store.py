"""The event log: numbers in commit order without holes, whoever writes, rolls back and prunes.

tests/e2e/test_log_postgres.py runs all of it on PostgreSQL too.
"""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from live.log import counter, numbering, store
from live.log.cursor import Cursor, decode
from live.log.entry import Entry
from live.log.pending import settled_end
from live.log.store import Extent
from live.models import Log, LoggedEvent
from tests.live.log.writing import age, append, append_and_roll_back, held, write, write_at_random

SECONDS = 30
COUNTER = Log._meta.db_table

pytestmark = pytest.mark.django_db(transaction=True)


# ---- appending


def test_it_needs_a_transaction():
    append("one")
    with pytest.raises(TransactionManagementError):
        numbering.append([Entry(b"two")])
    assert held() == [(1, "one")]
    assert store.end().number == 1


def test_records_are_numbered_from_one():
    assert [append(text).number for text in ("one", "two", "three")] == [1, 2, 3]
    assert held() == [(1, "one"), (2, "two"), (3, "three")]


def test_a_batch_takes_one_range():
    assert append("one", "two", "three").number == 3
    assert append("four", "five").number == 5
    assert held() == list(enumerate(("one", "two", "three", "four", "five"), 1))


def test_a_large_batch():
    texts = [str(number) for number in range(1, 2501)]
    assert append(*texts).number == 2500
    assert held() == list(enumerate(texts, 1))


def test_a_batch_costs_the_counter_one_statement():
    append("one")
    with CaptureQueriesContext(connection) as queries:
        append(*"abcdefgh")
    advances = [query["sql"] for query in queries if f"UPDATE {COUNTER}" in query["sql"]]
    # PostgreSQL's function counts within.
    assert len(advances) == (0 if connection.vendor == "postgresql" else 1)


def test_the_first_record_of_all_may_roll_back():
    append_and_roll_back("never")
    assert append("one").number == 1
    assert held() == [(1, "one")]


def test_what_rolls_back_leaves_no_hole():
    append("one")
    append_and_roll_back("never", "never either")
    assert append("two").number == 2
    assert held() == [(1, "one"), (2, "two")]


def test_a_savepoint_that_rolls_back_leaves_no_hole():
    with transaction.atomic():
        write("one")
        append_and_roll_back("never")
        with transaction.atomic():
            write("two")
    assert held() == [(1, "one"), (2, "two")]


@pytest.mark.parametrize("seed", range(20))
def test_any_nesting_of_rollbacks_leaves_what_stands_without_holes(seed):
    dice = random.Random(seed)
    stands = [text for _ in range(10) for text in write_at_random(dice, "a")]
    assert held() == list(enumerate(stands, 1))
    assert store.end().number == len(stands)


# ---- many writers


def at_once(*functions):
    """Run each function in a thread, on a connection of its own; return what they return."""
    start = threading.Barrier(len(functions))

    def run(function):
        try:
            start.wait(SECONDS)
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as threads:
        return list(threads.map(run, functions, timeout=SECONDS))


def test_two_first_writers_at_once():
    cursors = at_once(lambda: append("a"), lambda: append("b"))
    assert sorted(text for _, text in held()) == ["a", "b"]
    assert {cursor.epoch for cursor in cursors} == {store.end().epoch}
    assert Log.objects.count() == 1


def test_a_first_writer_and_a_first_reader_at_once():
    ends = at_once(store.end, lambda: append("a"), store.end, lambda: append("b"))
    assert {end.epoch for end in ends} == {store.end().epoch}
    assert store.end().number == 2


def test_a_reader_always_sees_a_whole_log():
    """Everything up to the end that it is told is there, in each writer's order."""
    names = "abc"
    writing = list(names)

    def write(name):
        dice = random.Random(name)
        try:
            return [text for _ in range(25) for text in write_at_random(dice, name)]
        finally:
            writing.remove(name)

    def read():
        seen = []
        while True:
            over = not writing
            end = settled_end()
            page = store.read(len(seen) + 1, end.number)
            assert [number for number, _ in page] == list(range(len(seen) + 1, end.number + 1))
            seen += [packed.decode() for _, packed in page]
            if over:
                return seen

    *written, seen = at_once(*(lambda name=name: write(name) for name in names), read)
    for name, texts in zip(names, written, strict=True):
        assert [text for text in seen if text.startswith(name)] == texts
    assert len(seen) == sum(map(len, written))


# ---- looking


def test_the_end_of_a_log_that_nobody_has_used():
    end = store.end()
    assert end.number == 0
    assert store.end() == end
    assert append("one") == Cursor(end.epoch, 1)


def test_the_position_is_the_ends_cursor():
    assert decode(store.position()) == store.end()
    end = append("one", "two")
    assert decode(store.position()) == end == store.end()


def test_what_has_not_committed_is_not_the_end():
    append("one")
    with transaction.atomic():
        write("two")
        assert at_once(settled_end)[0].number == 1
        assert at_once(held)[0] == [(1, "one")]
    assert settled_end().number == 2


def test_reading_takes_both_ends_in():
    append(*"abcde")
    assert store.read(2, 4) == [(2, b"b"), (3, b"c"), (4, b"d")]
    assert store.read(5, 9) == [(5, b"e")]
    assert store.read(6, 9) == store.read(3, 2) == []


def test_the_extent_of_an_empty_log():
    extent = store.extent()
    assert extent == Extent(store.end().epoch, first=1, last=0)
    assert extent.reaches(store.end())


def test_the_extent():
    epoch = append(*"abc").epoch
    assert store.extent() == Extent(epoch, first=1, last=3)
    age(1, 2)
    prune()
    assert store.extent() == Extent(epoch, first=3, last=3)
    age(3)
    prune()
    assert store.extent() == Extent(epoch, first=4, last=3)


def test_what_an_extent_reaches():
    extent = Extent(epoch=7, first=5, last=8)
    reached = [number for number in range(12) if extent.reaches(Cursor(7, number))]
    assert reached == [4, 5, 6, 7, 8]
    assert not any(extent.reaches(Cursor(8, number)) for number in range(12))


# ---- pruning


def prune(days=1):
    return store.prune(timezone.now() - timedelta(days=days))


def test_the_old_are_pruned_and_the_new_stay():
    append(*"abcde")
    age(1, 2, 3)
    assert prune() == 3
    assert held() == [(4, "d"), (5, "e")]
    assert prune() == 0
    assert append("f").number == 6


def test_what_is_just_old_enough_stays():
    append(*"ab")
    now = timezone.now()
    LoggedEvent.objects.update(written_at=now)
    assert store.prune(now) == 0
    assert store.prune(now + timedelta(microseconds=1)) == 2


def test_all_may_be_pruned_and_the_numbers_go_on():
    append(*"abc")
    age(1, 2, 3)
    assert prune() == 3
    assert held() == []
    assert store.end().number == 3
    assert append("d").number == 4


def test_an_empty_log_is_pruned_of_nothing():
    assert prune() == 0


@pytest.mark.parametrize("old", [1, 2, 3, 4, 5, 6, 7])
def test_it_prunes_in_small_transactions(monkeypatch, old):
    monkeypatch.setattr(store, "PRUNED_AT_ONCE", 2)
    append(*"abcdefgh")
    age(*range(1, old + 1))
    with CaptureQueriesContext(connection) as queries:
        assert prune() == old
    deletes = [query["sql"] for query in queries if query["sql"].startswith("DELETE")]
    assert len(deletes) == -(-old // 2)
    assert [number for number, _ in held()] == list(range(old + 1, 9))


@pytest.mark.parametrize("at_once", [1, 2, 3, 1000])
def test_a_clock_that_went_back_makes_no_hole(monkeypatch, at_once):
    monkeypatch.setattr(store, "PRUNED_AT_ONCE", at_once)
    append(*"abcdef")
    age(1, 2, 4, 6)
    assert prune() == 2
    assert [number for number, _ in held()] == [3, 4, 5, 6]


def test_writers_go_on_while_it_prunes(monkeypatch):
    monkeypatch.setattr(store, "PRUNED_AT_ONCE", 5)
    append(*map(str, range(200)))
    age(*range(1, 201))
    pruned, *_ = at_once(prune, *[lambda: [append("new") for _ in range(20)]] * 2)
    assert pruned == 200
    assert [number for number, _ in held()] == list(range(201, 241))


# ---- another log


def test_a_new_epoch_expires_every_cursor_and_keeps_the_rest():
    before = append("one", "two")
    counter.start_new_epoch()
    after = store.end()
    assert (after.epoch != before.epoch, after.number) == (True, 2)
    assert not store.extent().reaches(before)
    assert store.extent().reaches(after)
    assert append("three") == Cursor(after.epoch, 3)
    assert [number for number, _ in held()] == [1, 2, 3]


def test_a_log_that_nobody_has_used_gets_an_epoch():
    counter.start_new_epoch()
    assert append("one") == Cursor(store.end().epoch, 1)


def test_epochs_do_not_come_again():
    epochs = set()
    for _ in range(50):
        counter.start_new_epoch()
        epochs.add(store.end().epoch)
    assert len(epochs) == 50
    assert max(epochs) < 2**63  # what the column holds


def test_a_flushed_database_has_another_log():
    before = append("one")
    call_command("flush", interactive=False, verbosity=0)
    assert store.end().number == 0
    assert store.end().epoch != before.epoch


def test_a_record_from_the_future_does_not_stop_pruning():
    append(*"abcde")
    age(1, 3)
    age(2, 5, days=-30)
    assert store.prune(timezone.now() - timedelta(days=1)) == 3
    # The last is from the future too, and nothing tells that it is old.
    assert held() == [(4, "d"), (5, "e")]
