"""Writers, numberers, readers and kills in any order of their steps, on a real PostgreSQL.

Run by test_log_postgres.py. Each writer and each numberer has a connection of its own, and does
one statement a step; a kill closes it. What the machine checks is the promise, not the way: a
faulty way of numbering, planted in it, is found.
"""

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from live.log.numbering_after_commit import _INSERT, FUNCTION
from live.models import Log, LoggedEvent, PendingEvent

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, NUMBERERS = range(3), range(2)
PENDING, EVENTS, COUNTER = (model._meta.db_table for model in (PendingEvent, LoggedEvent, Log))
TRY_TO_LOCK = "SELECT pg_try_advisory_xact_lock('live_log'::regclass::oid::int, 0)"
_LOSS = "loss"


def connect():
    found = connection.get_connection_params()
    keys = ("dbname", "host", "port", "user", "password")
    return psycopg.connect(**{key: found[key] for key in keys if key in found})


class Machine(RuleBasedStateMachine):
    """The log's table, and what is known of each record from outside."""

    def __init__(self):
        super().__init__()
        self.clock = self.names = 0
        self.connections = {}
        self.open = {}  # writer → names written in its open transaction
        self.written, self.committed = {}, {}  # name → the time
        self.holder, self.has_moved = None, False  # the numberer with the lock
        self.read = []

    @initialize()
    def empty(self):
        with connection.cursor() as cursor:
            for table in (PENDING, EVENTS, COUNTER):
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"INSERT INTO {COUNTER} (id, epoch, last) VALUES (1, 1, 0)")

    def teardown(self):
        for each in self.connections.values():
            each.close()

    def execute(self, who, statement, parameters=None):
        self.clock += 1
        if who not in self.connections:
            self.connections[who] = connect()
        return self.connections[who].execute(statement, parameters)

    def kill(self, who):
        self.connections.pop(who).close()
        # Its server process may take a moment to notice; until then it holds its locks.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE"
                " datname = current_database() AND state LIKE 'idle in transaction%%'"
                " AND pid <> ALL (%s)",
                [[c.info.backend_pid for c in self.connections.values()]],
            )

    # ---- writers

    @rule(writer=st.sampled_from(WRITERS), is_loss=st.booleans())
    def write(self, writer, is_loss):
        self.names += 1
        name = f"{_LOSS if is_loss else 'event'} {self.names}"
        row = (name.encode(), "2026-01-01T00:00Z", None, None, False, is_loss)
        self.execute(("writer", writer), _INSERT, row)
        self.written[name] = self.clock
        self.open.setdefault(writer, []).append(name)

    @rule(writer=st.sampled_from(WRITERS))
    def commit(self, writer):
        if writer in self.open:
            self.execute(("writer", writer), "COMMIT")
            self.committed.update(dict.fromkeys(self.open.pop(writer), self.clock))

    @rule(writer=st.sampled_from(WRITERS))
    def roll_back(self, writer):
        if self.open.pop(writer, None):
            self.execute(("writer", writer), "ROLLBACK")

    @rule(writer=st.sampled_from(WRITERS))
    def kill_writer(self, writer):
        if self.open.pop(writer, None):
            self.kill(("writer", writer))

    # ---- numberers

    @precondition(lambda self: self.holder is None)
    @rule(numberer=st.sampled_from(NUMBERERS))
    def lock(self, numberer):
        assert self.execute(("numberer", numberer), TRY_TO_LOCK).fetchone() == (True,)
        self.holder, self.has_moved = numberer, False

    @precondition(lambda self: self.holder is not None and not self.has_moved)
    @rule()
    def number(self):
        self.execute(("numberer", self.holder), f"SELECT {FUNCTION}(100)")
        self.has_moved = True

    @precondition(lambda self: self.holder is not None)
    @rule(is_killed=st.booleans())
    def end_numbering(self, is_killed):
        if is_killed:
            self.kill(("numberer", self.holder))
        else:
            self.execute(("numberer", self.holder), "COMMIT")
        self.holder = None

    @precondition(lambda self: self.holder is None)
    @rule(numberer=st.sampled_from(NUMBERERS))
    def number_at_once(self, numberer):
        self.lock(numberer)
        self.number()
        self.end_numbering(is_killed=False)

    # ---- readers

    @invariant()
    def a_reader_who_goes_on_reads_the_next(self):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT number, packed FROM {EVENTS} WHERE number > %s ORDER BY number",
                [len(self.read)],
            )
            rows = cursor.fetchall()
        start = len(self.read) + 1
        assert [number for number, _ in rows] == list(range(start, start + len(rows)))
        self.read += [bytes(packed).decode() for _, packed in rows]

    @rule()
    def everything_is_read(self):
        """Once the numberer ends, whoever asks gets all that is committed."""
        if self.holder is not None:
            self.end_numbering(is_killed=False)
        self.number_at_once(0)
        self.a_reader_who_goes_on_reads_the_next()
        assert sorted(self.read) == sorted(self.committed)

    @invariant()
    def what_was_committed_before_another_was_written_comes_first(self):
        for place, name in enumerate(self.read):
            for later in self.read[place + 1 :]:
                # Losses go before events that wait with them.
                if later.startswith(_LOSS) <= name.startswith(_LOSS):
                    assert not self.committed[later] < self.written[name], (later, name)

    @invariant()
    def no_event_that_was_committed_after_a_loss_comes_before_it(self):
        for place, name in enumerate(self.read):
            for later in self.read[place + 1 :]:
                if later.startswith(_LOSS) and not name.startswith(_LOSS):
                    assert self.committed[name] < self.committed[later], (name, later)


EXAMPLES = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_any_interleaving_keeps_the_promise():
    run_state_machine_as_test(Machine, settings=EXAMPLES)


# A record's name has its number in the order of the writing, as its id has.
NAMED = "substring(encode(packed, 'escape') FROM '[0-9]+')::int"
# Whether a fault is found, not its smallest case.
FINDING = settings(EXAMPLES, max_examples=1000, phases=[Phase.generate])


PLANTED = {
    # After the highest id so far, as a reader of an identity column would.
    "by ids alone": (
        f"SELECT id FROM {PENDING} ORDER BY",
        f"SELECT id FROM {PENDING} WHERE {NAMED} > COALESCE("
        f"(SELECT max({NAMED}) FROM {EVENTS}), 0) ORDER BY",
    ),
    "rights in the order of the ids": ("urgent DESC, ", ""),
}


@pytest.fixture(params=PLANTED)
def _planted(request):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_get_functiondef('{FUNCTION}'::regproc)")
        [sound] = cursor.fetchone()
        faulty = sound.replace(*PLANTED[request.param])
        assert faulty != sound
        cursor.execute(faulty.replace("%", "%%"))
        yield
        cursor.execute(sound.replace("%", "%%"))


@pytest.mark.usefixtures("_planted")
def test_a_planted_fault_is_found():
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=FINDING)
