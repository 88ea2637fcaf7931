"""What does it cost to have lost nothing? `python -m benchmarks.replay`

Four measurements: one client that is far behind (backlog), a crowd that comes back at once
while others listen (return), the log's part of a registration (cost), and events while Redis is
away (outage). README.md beside this file has the details.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks import machine
from benchmarks.load import PATIENCE_SECONDS, Load
from benchmarks.pair import server_and_load
from benchmarks.report import Head, Rows, run_parts, spread
from benchmarks.resuming import Resumer, position
from benchmarks.servers import ROOT, Kind
from benchmarks.writer import Writer
from tests.e2e.faults.clerks import clerks
from tests.e2e.faults.installation import Installation, open_folder
from tests.e2e.faults.trial import Trial, trial
from tests.e2e.services import postgres_binaries, postgres_server

KIND = Kind("wardcast-frames", "uvicorn")
EVENTS_PER_SECOND = 20


# ---- one client that is far behind


def backlog(options: argparse.Namespace) -> tuple[Head, Rows]:
    """Return how fast one client gets what it missed, which nobody has in memory."""
    with server_and_load(KIND) as load, Writer(load.server) as writer:
        server = load.server
        after = position(server)
        writer.write(options.behind).join()
        with load.window() as window:
            client = Resumer(load.poller, server.port, server.house.cookies["driver"], after)
            load.poller.run_until(
                lambda: len(client.seen) >= options.behind,
                *(PATIENCE_SECONDS, "the events it missed"),
            )
        client.close()
    assert list(client.seen) == list(range(options.behind)), "not once and in order"
    head = ["one client behind by", "seconds", "events/s", "server CPU µs an event"]
    cpu = window.server_cpu / options.behind * 1e6
    rate = options.behind / window.seconds
    return head, [[f"{options.behind:,}", f"{window.seconds:.2f}", f"{rate:,.0f}", f"{cpu:.1f}"]]


# ---- a crowd that comes back


def crowd_returns(options: argparse.Namespace) -> tuple[Head, Rows]:
    """Return how soon a crowd has caught up, and what the others notice of it."""
    with server_and_load(KIND) as load:
        after = position(load.server)
        last = load.drive(width=1, seconds=0, least=options.missed).numbers[-1]
        load.subscribe(options.live)
        load.drive(width=1, seconds=0, least=5)
        load.server.ask("stamps")
        before = feed(load, lambda: False, options.seconds)
        start = time.monotonic()
        crowd = list(_crowd(load, options.returning, after))
        waiting = set(crowd)

        def caught_up() -> bool:
            waiting.difference_update([c for c in waiting if c.seen and c.seen[-1] >= last])
            return not waiting

        during = feed(load, caught_up, PATIENCE_SECONDS)
        took = time.monotonic() - start
        assert not waiting, f"{len(waiting)} clients did not catch up"
        assert all(_is_in_order(client, last, options.missed) for client in crowd)
        for client in crowd:
            client.close()
    head = ["", "live deliveries", "p50 ms", "p99 ms", "worst ms"]
    rows = [[f"{options.live} listen", *before]]
    name = f"{options.returning:,} come back, {options.missed} events behind: {took:.2f} s"
    return head, [*rows, [name, *during]]


def feed(load: Load, done: Callable[[], bool], seconds: float) -> list[str]:
    """Send live events at a steady rate until `done()`; return how long they took."""
    windows, deadline = [], time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        start = time.monotonic()
        windows.append(load.drive(width=1, seconds=0, least=1))
        while not done() and (left := start + 1 / EVENTS_PER_SECOND - time.monotonic()) > 0:
            load.poller.turn(left)
    stamps = {int(number): at for number, at in load.server.ask("stamps").items()}
    took = sorted(
        (arrival - stamps[number]) / 1e6
        for window in windows
        for number in window.numbers
        for arrival in load.tally.arrivals[number]
    )
    return [f"{len(took):,}", *(f"{value:.1f}" for value in spread(took))]


def _crowd(load: Load, count: int, after: str) -> Iterator[Resumer]:
    cookies = load.server.house.cookies["subscribers"]
    for index in range(count):
        where = (load.poller, load.server.port, cookies[index % len(cookies)])
        yield Resumer(*where, after, "B00")


def _is_in_order(client: Resumer, last: int, missed: int) -> bool:
    """Whether what it missed, and what came since, came once and in order."""
    first = last - missed + 1
    return list(client.seen) == list(range(first, first + len(client.seen)))


# ---- the log's part of a registration


def cost(options: argparse.Namespace) -> tuple[Head, Rows]:
    """Return what a registration costs with the log and without, on both databases."""
    head = ["database", "CPU µs with the log", "without", "ratio", "µs with", "without", "ratio"]
    rows = []
    for name, database in (("SQLite", _sqlite), ("PostgreSQL", _postgres)):
        with database() as url:
            result = _measure_cost(url, options.patients)
        (cpu, elapsed), (cpu_without, elapsed_without) = result["with"], result["without"]
        row = [name, f"{cpu:,.0f}", f"{cpu_without:,.0f}", f"{cpu / cpu_without:.2f}"]
        row += [f"{elapsed:,.0f}", f"{elapsed_without:,.0f}", f"{elapsed / elapsed_without:.2f}"]
        rows.append(row)
    return head, rows


def _measure_cost(url: str, patients: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory(prefix="wardcast-bench-") as folder:
        environment = {**os.environ, "DEBUG": "off", "SECRET_KEY": "benchmark", "REDIS_URL": ""}
        environment |= {"DATABASE_URL": url, "TMPDIR": folder, "LIVE": "{}"}
        how = {"cwd": ROOT, "env": environment, "check": True}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], **how)
        command = [sys.executable, "-m", "benchmarks.append_cost", str(patients)]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, **how).stdout)


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="wardcast-bench-") as folder:
        yield f"sqlite:///{folder}/db.sqlite3"


@contextmanager
def _postgres() -> Iterator[str]:
    # With fsync off, which is the same for both.
    with (
        open_folder() as folder,
        postgres_server(postgres_binaries(), folder / "postgres") as url,
    ):
        yield url


# ---- Redis away


def outage(options: argparse.Namespace) -> tuple[Head, Rows]:
    """Return how late events are before, while and after Redis is away."""
    head = ["Redis", "events", "median of the last client, s", "worst, s"]
    return head, asyncio.run(_outage(options))


async def _outage(options: argparse.Namespace) -> Rows:
    how = {"patience": PATIENCE_SECONDS, "rate": 10, "pace": 1}
    with open_folder() as folder:
        installation = Installation(folder, ("uvicorn", "gunicorn"), services=True)
        async with (
            installation.run(),
            clerks(installation.environment, 3) as staff,
            trial(installation, staff, 20, **how) as running_trial,
        ):
            events = options.outage_events
            rows = [await _events_while("there", running_trial, events)]
            installation.redis.stop()
            rows.append(await _events_while("away", running_trial, events))
            installation.redis.start()
            rows.append(await _events_while("back", running_trial, events))
            return rows


async def _events_while(state: str, running_trial: Trial, events: int) -> list[str]:
    took = await running_trial.delays_of_new(events)
    return [state, f"{len(took)}", f"{took[len(took) // 2]:.3f}", f"{took[-1]:.3f}"]


PARTS = {"backlog": backlog, "return": crowd_returns, "cost": cost, "outage": outage}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--behind", type=int, default=20_000, help="events of the one client")
    parser.add_argument("--returning", type=int, default=1000, help="clients that come back")
    parser.add_argument("--missed", type=int, default=100, help="events of each of them")
    parser.add_argument("--live", type=int, default=200, help="clients that listen meanwhile")
    parser.add_argument("--seconds", type=float, default=10.0, help="of listening before that")
    parser.add_argument("--patients", type=int, default=2000, help="of each kind, for the cost")
    parser.add_argument("--outage-events", type=int, default=200, help="at 10 a second")
    options = parser.parse_args()
    options.machine = machine.description()
    machine.raise_file_limit(2 * (options.returning + options.live) + 500)
    run_parts("replay", PARTS, options)


if __name__ == "__main__":
    main()
