"""What the event log promises where transactions run side by side: run by test_log_postgres.py."""

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from live.log import store
from live.log.cursor import Cursor
from live.log.pending import settled_end
from live.models import LoggedEvent
from tests.e2e.held import Held, connected_threads, quickly
from tests.e2e.servers import ROOT
from tests.live.log.writing import age, append, held, write
from tests.live.wire import TIMEOUT

PROCESSES = 4
WRITER = """
import django, json, random, sys
django.setup()
from tests.live.log.writing import write_at_random
print("ready", flush=True)
sys.stdin.readline()
dice, name = random.Random(sys.argv[1]), sys.argv[1]
written = []
for _ in range(40):
    written += write_at_random(dice, name)
print(json.dumps(written))
"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _is_postgres():
    assert connection.vendor == "postgresql"


@pytest.fixture
def threads():
    """Threads whose connections are closed when they end."""
    with connected_threads(4) as pool:
        yield pool


# ---- numbers


def start_writer(name):
    command = [sys.executable, "-c", WRITER, name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, **pipes)


def test_processes_that_write_and_roll_back_at_once_leave_no_hole(monkeypatch):
    url = "postgres://{USER}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "server.settings")
    writers = {name: start_writer(name) for name in "abcd"[:PROCESSES]}
    for writer in writers.values():
        assert writer.stdout.readline() == "ready\n"
    for writer in writers.values():
        writer.stdin.write("\n")
        writer.stdin.flush()
    seen = []
    while any(writer.poll() is None for writer in writers.values()):
        # A reader who goes on from what it has had skips nothing.
        page = store.read(len(seen) + 1, settled_end().number)
        assert [number for number, _ in page] == list(
            range(len(seen) + 1, len(seen) + len(page) + 1)
        )
        seen += page
    seen += store.read(len(seen) + 1, settled_end().number)
    texts = [packed.decode() for _, packed in seen]
    assert held() == list(enumerate(texts, 1))
    for name, writer in writers.items():
        written = json.loads(writer.communicate(timeout=TIMEOUT)[0])
        assert [text for text in texts if text.startswith(name)] == written
    assert store.end().number == len(texts)


@pytest.mark.parametrize("rolls_back", [False, True])
def test_who_writes_meanwhile_does_not_wait(threads, rolls_back):
    append("one")
    first = Held(threads, lambda: write("two", "three"), rolls_back)
    with quickly():
        assert append("last").number == 2
    # Nobody sees a number whose events may never be.
    assert held() == [(1, "one"), (2, "last")]
    first.let()
    later = [] if rolls_back else ["two", "three"]
    assert held() == list(enumerate(["one", "last", *later], 1))


# ---- pruning


def prune():
    return store.prune(timezone.now() - timedelta(days=1))


def test_a_writer_commits_while_a_batch_is_being_pruned(threads, monkeypatch):
    monkeypatch.setattr(store, "PRUNED_AT_ONCE", 3)
    append(*"abcdef")
    age(*range(1, 7))
    pruning = Held(threads, lambda: store._prune_some(timezone.now() - timedelta(days=1)))
    with quickly():
        assert append("new").number == 7
    assert [number for number, _ in held()] == [1, 2, 3, 4, 5, 6, 7]
    assert pruning.let() == 3
    assert [number for number, _ in held()] == [4, 5, 6, 7]
    assert prune() == 3
    assert held() == [(7, "new")]


def test_it_prunes_while_a_writer_has_not_committed(threads):
    append(*"abc")
    age(1, 2, 3)
    writing = Held(threads, lambda: write("new"))
    with quickly():
        assert prune() == 3
        assert held() == []
    writing.let()
    assert held() == [(4, "new")]


def test_two_that_prune_at_once_prune_each_record_once(threads, monkeypatch):
    monkeypatch.setattr(store, "PRUNED_AT_ONCE", 7)
    append(*map(str, range(300)))
    age(*range(1, 281))
    both = [threads.submit(prune) for _ in range(2)]
    assert sum(pruning.result(TIMEOUT) for pruning in both) == 280
    assert [number for number, _ in held()] == list(range(281, 301))


def test_a_batch_that_is_rolled_back_is_pruned_the_next_time(threads):
    append(*"abc")
    age(1, 2)
    Held(threads, prune, rolls_back=True).let()
    assert LoggedEvent.objects.count() == 3
    assert prune() == 2


# ---- another log


def test_a_new_epoch_waits_for_nobody_and_takes_what_they_write(threads):
    before = append("one")
    writing = Held(threads, lambda: write("two"))
    with quickly():
        call_command("new_epoch", verbosity=0)
    writing.let()
    end = settled_end()
    assert (end.epoch != before.epoch, end.number) == (True, 2)
    assert not store.extent().reaches(before)
    assert append("three") == Cursor(end.epoch, 3)
