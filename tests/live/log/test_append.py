"""Records on their way to the log and to the hubs: with their transaction, or not at all.

tests/e2e/test_log_postgres.py runs all of it on PostgreSQL too.
"""

import contextvars
import threading

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from live.log import announcer, append, numbering, records, store
from live.log.append import one_batch, send_on_commit, write
from live.log.pending import settled_end
from live.models import Log

SECONDS = 30

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(monkeypatch):
    """The messages that were handed to the sender."""
    messages = []

    class Announcer:
        put = messages.append

        @staticmethod
        def do(work):
            """Leave it to who looks next."""

    monkeypatch.setattr(append, "announcer", Announcer)
    monkeypatch.setattr(announcer, "announcer", Announcer)
    return messages


def event(name):
    return records.event(["group"], name.encode())


def name_of(packed):
    return records.unpack(packed).body.decode()


def logged():
    """Return all that the log holds, once what is pending has its numbers."""
    settled_end()
    return [(number, name_of(packed)) for number, packed in store.read(1, 10**9)]


def shown(messages):
    """Return the records that messages tell of, as (number, name), once all is told."""
    settled_end()
    return [record for message in messages for record in records_of(message)]


def records_of(message):
    assert message["type"] == "live.log"
    names = [name_of(packed) for packed in message["records"]]
    return list(enumerate(names, message["last"] - len(names) + 1))


@transaction.atomic
def save_and_write(name):
    """Register somebody, and tell of it."""
    User.objects.create_user(name)
    write(event(name))


# ---- one by one


def test_outside_a_transaction_it_has_its_own(told):
    write(event("one"))
    write(event("two"))
    assert logged() == [(1, "one"), (2, "two")]
    assert shown(told) == [(1, "one"), (2, "two")]
    assert {message["epoch"] for message in told} == {store.end().epoch}


def test_in_a_transaction_it_is_told_on_commit(told):
    with transaction.atomic():
        write(event("one"))
        write(event("two"))
        assert told == []
    assert shown(told) == [(1, "one"), (2, "two")]


def test_what_rolls_back_never_was(told):
    with transaction.atomic():
        write(event("never"))
        transaction.set_rollback(True)
    with transaction.atomic():
        write(event("one"))
        with transaction.atomic():
            write(event("never either"))
            transaction.set_rollback(True)
        write(event("two"))
    assert logged() == [(1, "one"), (2, "two")]
    assert shown(told) == [(1, "one"), (2, "two")]


def test_what_cannot_be_told_of_is_not_written(told, monkeypatch):
    def fail(*_):
        raise OperationalError("disk full")

    monkeypatch.setattr(numbering, "append", fail)
    with pytest.raises(OperationalError):
        save_and_write("ada")
    assert not User.objects.exists()
    assert told == []


def test_it_costs_an_open_transaction_one_statement_or_two(told):
    write(event("one"))
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        write(event("two"))
    # No savepoint around them; the counter is advanced where numbers come before the commit.
    assert len(queries) == (1 if connection.vendor == "postgresql" else 2)


# ---- past the log


def test_past_the_log_it_is_told_on_commit_and_not_kept(told):
    with transaction.atomic():
        send_on_commit(event("one"))
        with transaction.atomic():
            send_on_commit(event("never"))
            transaction.set_rollback(True)
        assert told == []
    send_on_commit(event("two"))
    assert {message["type"] for message in told} == {"live.passing"}
    assert [name_of(message["record"]) for message in told] == ["one", "two"]
    assert logged() == []


# ---- doorbell


def test_a_doorbell_says_how_far_the_log_is_and_no_more(told, settings):
    settings.LIVE = {"BROADCAST": "doorbell"}
    with one_batch():
        for name in ("one", "two", "three"):
            write(event(name))
    assert shown(told) == []
    assert logged() == [(1, "one"), (2, "two"), (3, "three")]
    epoch = store.end().epoch
    assert told == [{"type": "live.log", "epoch": epoch, "last": 3, "records": []}]


# ---- batches


def test_a_batch_is_one_range_and_one_message(told):
    write(event("before"))
    assert shown(told) == [(1, "before")]
    with one_batch():
        for name in ("one", "two", "three"):
            write(event(name))
        assert shown(told) == [(1, "before")]
        assert [name for _, name in logged()] == ["before"]
    assert logged() == [(1, "before"), (2, "one"), (3, "two"), (4, "three")]
    assert shown(told) == logged()
    assert [len(message["records"]) for message in told] == [1, 3]


@pytest.mark.parametrize("count", [99, 100, 101, 200, 250])
def test_a_large_batch_is_told_of_in_parts(told, count):
    names = [str(number) for number in range(1, count + 1)]
    with one_batch():
        for name in names:
            write(event(name))
    assert logged() == list(enumerate(names, 1))
    assert shown(told) == logged()
    parts = [len(names[start : start + 100]) for start in range(0, count, 100)]
    assert [len(message["records"]) for message in told] == parts


def test_a_savepoint_that_rolls_back_leaves_no_trace_in_its_batch(told):
    with one_batch():
        write(event("one"))
        with transaction.atomic():
            write(event("never"))
            with transaction.atomic():
                write(event("never either"))
            transaction.set_rollback(True)
        with transaction.atomic():
            write(event("two"))
        write(event("three"))
    assert logged() == [(1, "one"), (2, "two"), (3, "three")]
    assert shown(told) == [(1, "one"), (2, "two"), (3, "three")]


def test_a_batch_in_a_batch_is_one(told):
    with one_batch():
        write(event("one"))
        with one_batch():
            write(event("two"))
        with transaction.atomic(), one_batch():
            write(event("never"))
            transaction.set_rollback(True)
        write(event("three"))
    assert shown(told) == [(1, "one"), (2, "two"), (3, "three")]


def test_batches_one_after_the_other_in_a_transaction(told):
    with transaction.atomic():
        with one_batch():
            write(event("one"))
        write(event("two"))
        with one_batch():
            write(event("three"))
        assert told == []
    assert logged() == [(1, "one"), (2, "two"), (3, "three")]
    assert shown(told) == [(1, "one"), (2, "two"), (3, "three")]


def test_a_batch_that_raises_appends_nothing(told):
    @one_batch()
    def fail():
        save_and_write("ada")
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not User.objects.exists()
    write(event("one"))
    assert logged() == [(1, "one")]
    assert shown(told) == [(1, "one")]


def test_a_batch_that_is_to_roll_back_appends_nothing(told):
    with one_batch():
        User.objects.create_user("ada")
        write(event("never"))
        transaction.set_rollback(True)
    assert not User.objects.exists()
    assert (logged(), told) == ([], [])


def test_a_batch_whose_transaction_rolls_back_never_was(told):
    with transaction.atomic():
        with one_batch():
            write(event("never"))
        transaction.set_rollback(True)
    assert (logged(), told) == ([], [])


def test_an_empty_batch_does_not_touch_the_log(told):
    with CaptureQueriesContext(connection) as queries, one_batch():
        pass
    assert not any(Log._meta.db_table in query["sql"] for query in queries)
    assert told == []


def test_the_callbacks_of_others_are_called_once(told):
    called = []
    with one_batch():
        transaction.on_commit(lambda: called.append(1))
        write(event("one"))
        transaction.on_commit(Unhashable(called))
    assert called == [1, 2]
    assert shown(told) == [(1, "one")]


class Unhashable:
    """A callback that compares by what it holds."""

    def __init__(self, called):
        self.called = called

    def __eq__(self, other):
        return True

    def __call__(self):
        self.called.append(2)


def test_another_connection_is_not_in_the_batch(told):
    """A thread that was started with the context, as for async code, has its own transactions."""

    def write_there():
        try:
            write(event("there"))
        finally:
            connections.close_all()

    with one_batch():
        write(event("here"))
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=[write_there])
        thread.start()
        # On SQLite it waits for this transaction's end; elsewhere it may be first.
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert sorted(name for _, name in logged()) == ["here", "there"]
    assert sorted(name for _, name in shown(told)) == ["here", "there"]
