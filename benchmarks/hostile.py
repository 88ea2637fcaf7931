"""Do good subscribers notice an attack? `python -m benchmarks.hostile`

1,000 good subscribers get a steady feed, and one more good client asks `{ me }` ten times a
second: before, while 200 hostile sockets send garbage, bombs and floods, and after. The
attackers are a process of its own, niced, on the load's core: what the good ones wait for
should be the server, not the attackers' own work. PostgreSQL is on the load's core, too. Only
this machine's loopback is ever spoken to. Wardcast runs with its own default limits.
"""

import argparse
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.asker import Asker
from benchmarks.attackers import attack_for
from benchmarks.attacks import ATTACKS
from benchmarks.load import Load, Window
from benchmarks.report import spread, table
from benchmarks.servers import Kind, Server, house
from tests.e2e.faults.installation import open_folder
from tests.e2e.services import Postgres, postgres_binaries, running

ATTACKERS = 200
GOOD = 1000
EVENTS_PER_SECOND = 4
# "worker" is uvicorn as server.workers.Worker runs it.
HOSTS = {
    "worker": Kind("wardcast-frames", "uvicorn"),
    "uvicorn": Kind("wardcast", "uvicorn"),
    "daphne": Kind("wardcast", "daphne"),
}
# Whose cookies are not the attackers': the last ten are.
ASKER = 50

# What the good ones may notice.
MOST_P99_RATIO = 3.0
MOST_ME_P99_MS = 250.0
MOST_MB = 150.0
SAMPLE_SECONDS = 0.1


@dataclass
class Phase:
    """How the good clients fared for a while."""

    name: str
    events: int
    deliveries: int
    missing: int
    p50: float
    p99: float
    worst: float
    me_p50: float
    me_p99: float
    peak_mb: float
    """The server's resident memory at its most, over idle."""
    cpu_percent: float


class Memory:
    """The server's resident memory, in MB over what it is now; sampled by a thread."""

    def __init__(self, server: Server) -> None:
        self._pid, self._idle = server.pid, server.resident()
        self._peak = self._idle
        threading.Thread(target=self._sample, daemon=True).start()

    def peak(self) -> float:
        """Return the most since the last call."""
        peak, self._peak = self._peak, self._idle
        return (peak - self._idle) / 2**20

    def _sample(self) -> None:
        while Path(f"/proc/{self._pid}").exists():
            self._peak = max(self._peak, machine.resident_bytes(self._pid))
            time.sleep(SAMPLE_SECONDS)


@dataclass
class Good:
    """The good clients, and the server's memory."""

    load: Load
    asker: Asker
    memory: Memory

    def fare(self, name: str, seconds: float) -> Phase:
        """Let events come at a steady rate; return how the good ones fared meanwhile."""
        load = self.load
        self.asker.taken()
        self.memory.peak()
        began, cpu = time.monotonic(), load.server.cpu()
        windows = list(_steadily(load, seconds))
        cpu = (load.server.cpu() - cpu) / (time.monotonic() - began) * 100
        took = _delays(load, windows)
        answers = sorted(ms for _, ms in self.asker.taken())
        missing = sum(window.missing for window in windows)
        counts = (len(windows), len(took), missing)
        me = spread(answers)[:2]
        return Phase(name, *counts, *spread(took), *me, self.memory.peak(), cpu)


def _steadily(load: Load, seconds: float) -> Iterator[Window]:
    began = time.monotonic()
    while (start := time.monotonic()) < began + seconds:
        yield load.drive(width=1, seconds=0, least=1)
        while (left := start + 1 / EVENTS_PER_SECOND - time.monotonic()) > 0:
            load.poller.turn(left)


def _delays(load: Load, windows: list[Window]) -> list[float]:
    """Return the sorted milliseconds of all deliveries, from commit to client."""
    stamps = {int(number): at for number, at in load.server.ask("stamps").items()}
    return sorted(
        (arrival - stamps[number]) / 1e6
        for window in windows
        for number in window.numbers
        for arrival in load.tally.arrivals[number]
    )


@contextmanager
def database(name: str) -> Iterator[str | None]:
    """Yield the URL of an empty PostgreSQL on the load's core, or None for SQLite."""
    if name == "sqlite":
        yield None
        return
    binaries = postgres_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is missing: apt-get install postgresql")
    with open_folder() as folder:
        service = Postgres(binaries, folder / "postgres")
        service.create()
        with running(service):
            os.sched_setaffinity(service.process.pid, {machine.cores()[1]})
            yield service.url


def run(kind: Kind, options: argparse.Namespace) -> tuple[list[Phase], Any, Load]:
    """Return the phases, what the attackers met, and the load as it ended."""
    with (
        database(options.database) as url,
        house(redis=False, database=url) as shared,
        Server(kind, shared, live=options.live) as server,
        machine.pinned(machine.cores()[1]),
        Asker(server.port, shared.cookies["subscribers"][ASKER]) as asker,
    ):
        memory = Memory(server)
        load = Load(server)
        load.subscribe(options.good)
        load.drive(width=1, seconds=0, least=5)
        server.ask("stamps")
        good, quiet = Good(load, asker, memory), min(15.0, options.seconds)
        phases = [good.fare("before", quiet)]
        with attack(server, options) as met:
            phases.append(good.fare("during", options.seconds))
            outcomes = met.get(timeout=60)
        phases.append(good.fare("after", quiet))
        load.close()
    return phases, outcomes, load


@contextmanager
def attack(server: Server, options: argparse.Namespace) -> Iterator[Any]:
    """Attack meanwhile; yield the queue that what the attackers met comes by."""
    met = multiprocessing.Queue()
    # The last of the users' cookies: the good ones' limits are not the attackers'.
    cookies = server.house.cookies["subscribers"][-10:]
    how = (options.attacks, options.attackers, options.seconds, met)
    process = multiprocessing.Process(target=attack_for, args=(server.port, cookies, *how))
    process.start()
    yield met
    process.join(30)


# ---- what came out


HEAD = ["", "events", "deliveries", "missing", "p50 ms", "p99 ms", "worst ms"]
HEAD += ["`{ me }` p50 ms", "p99 ms", "peak MB over idle", "server's core, %"]


def print_tables(title: str, phases: list[Phase], outcomes: dict[str, dict[str, int]]) -> None:
    print(f"\n### {title}\n\n{table(HEAD, [_row(phase) for phase in phases])}")
    print("\n| attack | what its sockets met, and how often |\n| --- | --- |")
    for attack, met in sorted(outcomes.items()):
        most = sorted(met.items(), key=lambda item: -item[1])
        print(f"| {attack} | {', '.join(f'{what}: {count:,}' for what, count in most)} |")


def _row(p: Phase) -> list[str]:
    times = [f"{ms:.1f}" for ms in (p.p50, p.p99, p.worst, p.me_p50, p.me_p99)]
    rest = [*times, f"{p.peak_mb:.0f}", f"{p.cpu_percent:.0f}"]
    return [p.name, f"{p.events}", f"{p.deliveries:,}", f"{p.missing}", *rest]


def noticed(phases: list[Phase], lost_sockets: int) -> list[str]:
    """Return what the good clients noticed beyond the bounds."""
    before, during, _ = phases
    missing, peak = sum(p.missing for p in phases), max(p.peak_mb for p in phases)
    ratio = during.p99 / before.p99
    bounds = [
        (missing, 0, f"{missing} deliveries are missing"),
        (lost_sockets, 0, f"{lost_sockets} good sockets were closed"),
        (ratio, MOST_P99_RATIO, f"p99 is {ratio:.1f} times that of the quiet phase"),
        (during.me_p99, MOST_ME_P99_MS, f"{{ me }} takes {during.me_p99:.0f} ms (p99)"),
        (peak, MOST_MB, f"memory is {peak:.0f} MB over idle"),
    ]
    return [text for value, most, text in bounds if value > most]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--hosts", nargs="+", choices=HOSTS, default=list(HOSTS))
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the attack")
    parser.add_argument("--attackers", type=int, default=ATTACKERS)
    names = [attack.__name__ for attack in ATTACKS]
    parser.add_argument("--attacks", nargs="+", choices=names, default=names)
    parser.add_argument("--good", type=int, default=GOOD)
    parser.add_argument("--live", type=json.loads, default={}, help="settings.LIVE, as JSON")
    return parser.parse_args()


def main() -> None:
    options = parse()
    machine.raise_file_limit(2 * options.good + 4 * options.attackers + 500)
    failures = []
    for host in options.hosts:
        phases, met, load = run(HOSTS[host], options)
        title = f"{host}, {options.database}"
        print_tables(title, phases, met)
        found = noticed(phases, load.tally.lost_sockets)
        print(f"\n{title}: {'; '.join(found) or 'the good clients noticed nothing'}", flush=True)
        failures += found
    if failures:
        raise SystemExit("The good clients noticed the attack.")


if __name__ == "__main__":
    main()
