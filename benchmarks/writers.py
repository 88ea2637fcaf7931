"""Does a writer wait for another? `python -m benchmarks.writers`

On a PostgreSQL of its own, with fsync as it comes. Three parts:
- alone: processes that register patients, with the log and without it, in turns; with and without
  20 ms of other work between the registration and its commit;
- stopped: the same while another one is stopped (SIGSTOP), or waits, after its registration and
  before its commit;
- delivery: from the commit to the clients of two servers, quiet and meanwhile.
"""

import argparse
import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from benchmarks import machine
from benchmarks.report import Head, Rows, run_parts, spread
from benchmarks.servers import ROOT
from tests.e2e.faults.clerks import clerks
from tests.e2e.faults.installation import PLAIN_HTTP, Installation, open_folder
from tests.e2e.faults.trial import Trial, trial
from tests.e2e.services import postgres_binaries, postgres_server

WORK_SECONDS = 0.02


class Written(NamedTuple):
    """What writers did together."""

    per_second: float
    worst: float
    """The longest transaction, in seconds, without its other work."""


# ---- a writer's process


def work(orders: Connection, number: int) -> None:
    """Carry out (what, with the log, seconds, seconds of other work) until the pipe ends."""
    import django

    django.setup()
    from patients.models import DiseaseCategory, Patient

    category = DiseaseCategory.objects.get(code="I")

    def register(other_work: float) -> float:
        from django.db import transaction

        began = time.perf_counter()
        with transaction.atomic():
            Patient.objects.create(name=f"Patient {number}", category=category)
            time.sleep(other_work)
        return time.perf_counter() - began - other_work

    register(0)
    orders.send("ready")
    while order := orders.recv():
        orders.send(_carried_out(register, *order))


def _carried_out(
    register: Any, what: str, with_log: bool, seconds: float, other_work: float
) -> list[float]:
    from unittest.mock import patch

    import live.log.append

    if what == "stop":
        with patch.object(time, "sleep", lambda _: os.kill(os.getpid(), signal.SIGSTOP)):
            return _until_lost(register, 0)
    if what == "wait":
        return _until_lost(register, seconds)
    until, took = time.monotonic() + seconds, []
    # What the log would have done with each record.
    instead = {} if with_log else {"side_effect": lambda entries: None}
    with patch.object(live.log.append, "_append", wraps=live.log.append._append, **instead):
        while time.monotonic() < until:
            took.append(register(other_work))
    return took


def _until_lost(register: Any, seconds: float) -> list[float]:
    from django.db import DatabaseError, InterfaceError, connection

    try:
        return [register(seconds)]
    except (DatabaseError, InterfaceError):  # its transaction was idle for too long
        connection.close()
        return []


class Writers:
    """Processes that write; a context manager."""

    def __init__(self, count: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.processes, self._pipes = [], []
        for number in range(count):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=work, args=(theirs, number), daemon=True)
            process.start()
            self.processes.append(process)
            self._pipes.append(ours)

    def __enter__(self) -> "Writers":
        for pipe in self._pipes:
            assert pipe.recv() == "ready"
        return self

    def __exit__(self, *_: Any) -> None:
        for process in self.processes:
            process.kill()
            process.join()

    def begin(self, number: int, what: str, seconds: float) -> None:
        """Have one of them stop, or wait, in a transaction."""
        self._pipes[number].send((what, True, seconds, 0.0))

    def ended(self, number: int) -> None:
        """Return when that one has ended its transaction."""
        self._pipes[number].recv()

    def write(self, some: int, with_log: bool, seconds: float, other_work: float) -> Written:
        """Have the first `some` write for so long."""
        for pipe in self._pipes[:some]:
            pipe.send(("write", with_log, seconds, other_work))
        took = [pipe.recv() for pipe in self._pipes[:some]]
        count = sum(map(len, took))
        return Written(count / seconds, max(max(each, default=0.0) for each in took))


@contextmanager
def database() -> Iterator[None]:
    """Have a migrated PostgreSQL in the environment of whatever is started meanwhile."""
    with open_folder() as folder:
        settings = ["fsync=on", "max_connections=200"]
        with postgres_server(postgres_binaries(), folder / "postgres", settings) as url:
            os.environ |= {**PLAIN_HTTP, "SECRET_KEY": "benchmark", "DATABASE_URL": url}
            os.environ |= {"DJANGO_SETTINGS_MODULE": "server.settings", "REDIS_URL": ""}
            migrate = [sys.executable, "manage.py", "migrate", "-v0"]
            subprocess.run(migrate, cwd=ROOT, check=True)
            yield


# ---- the parts


def alone(options: argparse.Namespace) -> tuple[Head, Rows]:
    """Return what writers write with the log and without, in turns."""
    head = ["writers", "with the log /s", "without /s", "ratio", "worst ms with", "without"]
    rows = []
    with database(), Writers(max(options.writers)) as writers:
        for count in options.writers:
            for other_work in (0.0, WORK_SECONDS):
                rows.append(_compared(writers, count, other_work, options))
    return head, rows


def _compared(
    writers: Writers, count: int, other_work: float, options: argparse.Namespace
) -> list[str]:
    sums: dict[bool, list[Written]] = {True: [], False: []}
    for turn in range(2 * options.turns):
        with_log = turn % 2 == 0
        sums[with_log].append(writers.write(count, with_log, options.seconds, other_work))
    rates = {how: sum(w.per_second for w in all_) / len(all_) for how, all_ in sums.items()}
    worst = {how: max(w.worst for w in all_) * 1000 for how, all_ in sums.items()}
    name = f"{count}, {other_work * 1000:.0f} ms of other work"
    ratio = f"{rates[True] / rates[False]:.2f}"
    rate = [f"{rates[how]:,.0f}" for how in (True, False)]
    return [name, *rate, ratio, *(f"{worst[how]:.0f}" for how in (True, False))]


def stopped(options: argparse.Namespace) -> tuple[Head, Rows]:
    """Return how long others' transactions take while one writer does not end its own."""
    head = ["8 writers, while another one", "commits/s", "worst ms"]
    rows = []
    with database(), Writers(9) as writers:
        quiet = writers.write(8, True, options.seconds, WORK_SECONDS)
        rows.append(["is idle", f"{quiet.per_second:,.0f}", f"{quiet.worst * 1000:.0f}"])
        for what, seconds in (("stop", options.stopped), ("wait", 10.0)):
            writers.begin(8, what, seconds)
            time.sleep(0.2)  # until it is in its transaction; more changes nothing
            meanwhile = writers.write(8, True, seconds, WORK_SECONDS)
            os.kill(writers.processes[8].pid, signal.SIGCONT)
            writers.ended(8)
            name = f"is stopped for {seconds:.0f} s" if what == "stop" else "waits for 10 s"
            figures = [f"{meanwhile.per_second:,.0f}", f"{meanwhile.worst * 1000:.0f}"]
            rows.append([f"{name} in its transaction", *figures])
    return head, rows


def delivery(options: argparse.Namespace) -> tuple[Head, Rows]:
    """Return how late events are: of each the last client's delay after the commit."""
    head = ["8 writers", "events", "median ms", "p99 ms", "worst ms"]
    return head, asyncio.run(_delivery(options))


async def _delivery(options: argparse.Namespace) -> Rows:
    how = {"patience": 120, "rate": options.rate, "pace": 1}
    with open_folder() as folder:
        installation = Installation(folder, ("uvicorn", "gunicorn"), services=True)
        async with (
            installation.run(),
            clerks(installation.environment, 10) as staff,
            trial(installation, staff, 20, **how) as running_trial,
        ):
            await _late(running_trial, "to begin with: connections are made", options)
            rows = [await _late(running_trial, "and nobody else", options)]
            if not options.quiet:
                spare = running_trial.spare
                await spare.order("hold", ordinal=running_trial.next_ordinal())
                await spare.answer("holding")
                spare.pause()
                rows.append(await _late(running_trial, "and one that is stopped", options))
                await spare.kill()
            return rows


async def _late(running_trial: Trial, name: str, options: argparse.Namespace) -> list[str]:
    took = await running_trial.delays_of_new(int(8 * options.rate * options.seconds * 2))
    return [name, f"{len(took):,}", *(f"{1000 * value:.1f}" for value in spread(took))]


PARTS = {"alone": alone, "stopped": stopped, "delivery": delivery}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writers", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--writers", nargs="+", type=int, default=[8, 32])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--turns", type=int, default=3, help="with the log, and without")
    parser.add_argument("--stopped", type=float, default=30.0, help="seconds")
    parser.add_argument("--rate", type=float, default=5.0, help="of each writer, for delivery")
    parser.add_argument("--quiet", action="store_true", help="delivery while nobody is stopped")
    options = parser.parse_args()
    options.machine = machine.description()
    run_parts("writers", PARTS, options)


if __name__ == "__main__":
    main()
