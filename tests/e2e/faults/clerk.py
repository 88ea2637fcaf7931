"""A process beside the servers that writes patients, and reads what was committed.

`python -m tests.e2e.faults.clerk` reads commands from stdin, one JSON object a line, and
answers with JSON lines. The database and the channel layer are those of its environment. See
tests.e2e.faults.clerks for who speaks to it.

A patient is named by an ordinal: its external id is "writer-ORDINAL", and its name is
"Patient #ORDINAL#", where a client finds it by bytes.
"""

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from unittest.mock import Mock, patch

import django
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction

from tests.e2e.faults.follow import follow

AWAY = (OperationalError, InterfaceError)  # the database, or the connection to it
AWAY_SECONDS = 0.05  # between two tries meanwhile
ROWS_AT_ONCE = 1000
PREFIX = "writer-"
Read = TypeVar("Read")
# Numbered by a sequence, as a log that is not Wardcast's would be: what it shows is the fault.
PLAIN_TABLE = "plain_log"


def say(**answer: Any) -> None:
    # One write: processes that share the pipe do not mix their lines.
    os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")


# ---- writing


def write(
    first: int, count: int, rate: float = 0, pause: float = 0, batch: int = 1, plain: bool = False
) -> None:
    """Write patients `first` …, and say of each when it is certain that it is committed.

    Args:
        first: the first one's ordinal; the others follow.
        count: how many.
        rate: transactions a second, at the most; 0 is as many as go.
        pause: each transaction waits for up to so many seconds before it commits.
        batch: patients in a transaction.
        plain: write into the plain table instead.
    """
    insert = _insert_plain if plain else _insert
    for start in range(first, first + count, batch):
        began = time.monotonic()
        ordinals = range(start, min(start + batch, first + count))
        commit(insert, ordinals, random.uniform(0, pause))
        say(committed=[ordinals[0], ordinals[-1]], at=time.monotonic())
        if rate:
            time.sleep(max(0.0, began + 1 / rate - time.monotonic()))
    say(done=count)


def commit(insert: Callable[[int], None], ordinals: Sequence[int], pause: float) -> None:
    """Insert in one transaction, and return once it is certain that it is committed.

    Where the connection is lost during the commit, nobody says whether it was: the row does.
    """
    while True:
        try:
            with transaction.atomic():
                for ordinal in ordinals:
                    insert(ordinal)
                time.sleep(pause)
            return
        except (*AWAY, IntegrityError):  # the latter: it was committed after all
            connection.close()
        if _is_committed(ordinals[0]):
            return


def hold(ordinal: int) -> None:
    """Write a patient and never commit it: whoever asks for this kills the process then."""
    with transaction.atomic():
        _insert(ordinal)
        say(holding=ordinal)
        sys.stdin.readline()
        raise SystemExit


def die(ordinal: int) -> None:
    """Commit a patient and be killed at once, before anybody can have been told of it."""
    with transaction.atomic():
        # What a commit sets off runs in the order of registration: nothing is told after this.
        transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
        _insert(ordinal)


def number_and_die(ordinal: int, committed: bool) -> None:
    """Commit a patient, give it its number, and be killed before anybody was told of that.

    Args:
        committed: whether it is killed after the number's commit; else right before it.
    """
    from live.log import append, numbering_after_commit

    with patch.object(append, "number_soon", Mock()):
        _insert(ordinal)
    with transaction.atomic():
        numbering_after_commit.number()
        if not committed:
            os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def concurrently(processes: int, each: int, first: int, pause: float, plain: bool = False) -> None:
    """Write `each` patients in each of so many processes, at the same time."""
    connection.close()
    children = []
    for number in range(processes):
        child = os.fork()
        if not child:
            write(first + number * each, each, pause=pause, plain=plain)
            connection.close()
            os._exit(0)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    say(ended=codes)


def _insert(ordinal: int) -> None:
    from patients.models import Patient

    categories = _categories()
    Patient.objects.create(
        name=f"Patient #{ordinal:07}#",
        category=categories[ordinal % len(categories)],
        external_id=f"{PREFIX}{ordinal}",
    )


def _insert_plain(ordinal: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {PLAIN_TABLE} (ordinal) VALUES (%s)", [ordinal])


def _categories(known: list[Any] = []) -> list[Any]:  # noqa: B006  read once for the process
    from patients.models import DiseaseCategory

    if not known:
        known += DiseaseCategory.objects.all()
    return known


def _is_committed(ordinal: int) -> bool:
    from patients.models import Patient

    return _once_there(Patient.objects.filter(external_id=f"{PREFIX}{ordinal}").exists)


def _once_there(read: Callable[[], Read]) -> Read:
    """Return what `read` returns; it is called again for as long as the database is away."""
    while True:
        try:
            return read()
        except AWAY:
            connection.close()
            time.sleep(AWAY_SECONDS)


# ---- reading


def create_plain() -> None:
    """Make the plain table."""
    with connection.cursor() as cursor:
        number = "number bigserial PRIMARY KEY"
        cursor.execute(f"CREATE TABLE {PLAIN_TABLE} ({number}, ordinal integer)")
    say(created=PLAIN_TABLE)


def read_log(after: int) -> None:
    """Say the log's records after number `after`, as [number, ordinal, category].

    First, servers and writers have to have given numbers to what is committed by now.
    """
    _once_there(_wait_for_numbers)
    while rows := _once_there(partial(_logged_after, after)):
        say(rows=rows)
        after = rows[-1][0]
    say(rows=[])


def read_table() -> None:
    """Say all the writers' patients, as [ordinal, category, seconds of commit and start]."""
    from patients.models import Patient

    rows = Patient.objects.filter(external_id__startswith=PREFIX).order_by("pk")
    times = _once_there(_commit_times)
    # Who is admitted is so when the writer begins.
    columns = ("external_id", "category__code", "admitted_at")
    found = _once_there(lambda: list(rows.values_list(*columns)))
    rows = [
        [_ordinal(name), code, times.get(_ordinal(name)), begun.timestamp()]
        for name, code, begun in found
    ]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        say(rows=rows[start : start + ROWS_AT_ONCE])
    say(rows=[])


def read_on(source: str, after: int) -> None:
    """Follow the "log" or the "plain" table until the next line of stdin.

    Says the ordinals that a reader gets who remembers the last number only.
    """
    readers = {"log": _log_after, "plain": _plain_after}
    say(following=source)
    received = follow(readers[source], _is_told_to_stop, after)
    sys.stdin.readline()
    say(received=received)


def _is_told_to_stop() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], 0.001)
    return bool(ready)


def _log_after(number: int) -> list[tuple[int, int]]:
    return [
        (number, ordinal) for number, ordinal, _ in _logged_after(number) if ordinal is not None
    ]


def _plain_after(number: int) -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        query = f"SELECT number, ordinal FROM {PLAIN_TABLE} WHERE number > %s ORDER BY number"
        cursor.execute(query, [number])
        return cursor.fetchall()


def _wait_for_numbers() -> None:
    from live.models import PendingEvent

    pending = PendingEvent.objects.order_by("-id").values_list("id", flat=True)
    newest = pending.first() or 0
    while pending.filter(id__lte=newest).exists():
        time.sleep(AWAY_SECONDS)


def _logged_after(number: int) -> list[tuple[int, int | None, str | None]]:
    from live.models import LoggedEvent

    rows = LoggedEvent.objects.filter(number__gt=number).order_by("number")
    rows = rows.values_list("number", "packed")[:ROWS_AT_ONCE]
    return [(number, *_patient_in(bytes(packed))) for number, packed in rows]


def _patient_in(packed: bytes) -> tuple[int | None, str | None]:
    from live.log import payload, records

    record = records.unpack(packed)
    if record.kind != records.Kind.EVENT:
        return None, None
    event = payload.unpack(record.body)
    name = event["patient"].external_id
    if "change" in event or not name.startswith(PREFIX):
        return None, None
    return _ordinal(name), event["category"].code


def _ordinal(external_id: str) -> int:
    return int(external_id.removeprefix(PREFIX))


def _commit_times() -> dict[int, float]:
    """Return when each patient was committed, by PostgreSQL's track_commit_timestamp.

    It knows nothing of the log, so it tells whether the log's order is that of the commits.
    """
    if connection.vendor != "postgresql":
        return {}
    query = (
        "SELECT external_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))"
        " FROM patients_patient WHERE external_id LIKE %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [f"{PREFIX}%"])
        return {_ordinal(name): float(second) for name, second in cursor.fetchall()}


COMMANDS = {
    command.__name__: command
    for command in (
        *(write, hold, die, number_and_die, concurrently),
        *(create_plain, read_log, read_table, read_on),
    )
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")
    django.setup()
    say(ready=os.getpid())
    # Not by iterating, which reads ahead: `read_on` looks whether there is another line.
    while line := sys.stdin.readline():
        command = json.loads(line)
        COMMANDS[command.pop("do")](**command)


if __name__ == "__main__":
    main()
