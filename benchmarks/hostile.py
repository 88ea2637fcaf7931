"""Do good subscribers notice an attack? `python -m benchmarks.hostile`

1,000 good subscribers get a steady feed: before, while 200 hostile sockets send garbage,
bombs and floods, and after. The attackers are a process of its own, niced, on the load's
core: what the good ones wait for should be the server, not the attackers' own work. Only
this machine's loopback is ever spoken to. Wardcast runs with its own default limits.
"""

import argparse
import json
import multiprocessing
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import machine
from benchmarks.attackers import attack_for
from benchmarks.attacks import ATTACKS
from benchmarks.load import Load, Window
from benchmarks.servers import COMMANDS, Kind, Server, house

ATTACKERS = 200
GOOD = 1000
EVENTS_PER_SECOND = 4


@dataclass
class Phase:
    """How the good subscribers fared for a while."""

    name: str
    events: int
    deliveries: int
    missing: int
    p50: float
    p99: float
    worst: float
    cpu_percent: float


def feed(load: Load, name: str, seconds: float) -> Phase:
    """Send events at a steady rate; return how long they took from commit to client."""
    began, cpu = time.monotonic(), load.server.cpu()
    windows: list[Window] = []
    while (start := time.monotonic()) < began + seconds:
        windows.append(load.drive(width=1, seconds=0, least=1))
        while (left := start + 1 / EVENTS_PER_SECOND - time.monotonic()) > 0:
            load.poller.turn(left)
    cpu = (load.server.cpu() - cpu) / (time.monotonic() - began) * 100
    stamps = {int(number): at for number, at in load.server.ask("stamps").items()}
    took = sorted(
        (arrival - stamps[number]) / 1e6
        for window in windows
        for number in window.numbers
        for arrival in load.tally.arrivals[number]
    )
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    missing = sum(window.missing for window in windows)
    return Phase(name, len(windows), len(took), missing, p50, p99, took[-1], cpu)


def run(kind: Kind, options: argparse.Namespace) -> tuple[list[Phase], Any, Load]:
    """Return the phases, what the attackers met, and the load as it ended."""
    with (
        house(redis=False) as shared,
        Server(kind, shared, live=options.live) as server,
        machine.pinned(machine.cores()[1]),
    ):
        load = Load(server)
        load.subscribe(options.good)
        load.drive(width=1, seconds=0, least=5)
        server.ask("stamps")
        quiet = min(15.0, options.seconds)
        phases = [feed(load, "before", quiet)]
        met = multiprocessing.Queue()
        # The last of the users' cookies: the good ones' limits are not the attackers'.
        cookies = shared.cookies["subscribers"][-10:]
        how = (options.attacks, options.attackers, options.seconds)
        process = multiprocessing.Process(target=attack_for, args=(server.port, cookies, *how, met))
        process.start()
        phases.append(feed(load, "during", options.seconds))
        outcomes = met.get(timeout=60)
        process.join(30)
        phases.append(feed(load, "after", quiet))
        load.close()
    return phases, outcomes, load


def print_tables(kind: Kind, phases: list[Phase], outcomes: dict[str, dict[str, int]]) -> None:
    print(f"\n### {kind}\n")
    print("| | events | deliveries | missing | p50 ms | p99 ms | worst ms | server's core, % |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for p in phases:
        figures = f"{p.p50:.1f} | {p.p99:.1f} | {p.worst:.1f} | {p.cpu_percent:.0f}"
        print(f"| {p.name} | {p.events} | {p.deliveries:,} | {p.missing} | {figures} |")
    print("\n| attack | what its sockets met, and how often |\n| --- | --- |")
    for attack, met in sorted(outcomes.items()):
        most = sorted(met.items(), key=lambda item: -item[1])
        print(f"| {attack} | {', '.join(f'{what}: {count:,}' for what, count in most)} |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--hosts", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--seconds", type=float, default=60.0, help="of the attack")
    parser.add_argument("--attackers", type=int, default=ATTACKERS)
    names = [attack.__name__ for attack in ATTACKS]
    parser.add_argument("--attacks", nargs="+", choices=names, default=names)
    parser.add_argument("--good", type=int, default=GOOD)
    parser.add_argument("--live", type=json.loads, default={}, help="settings.LIVE, as JSON")
    options = parser.parse_args()
    machine.raise_file_limit(2 * options.good + 4 * options.attackers + 500)
    failed = False
    for host in options.hosts:
        kind = Kind("wardcast", host)
        phases, met, load = run(kind, options)
        print_tables(kind, phases, met)
        before, during, _ = phases
        lost = load.tally.lost_sockets
        ratios = f"p50 × {during.p50 / before.p50:.2f}, p99 × {during.p99 / before.p99:.2f}"
        print(f"\nDuring the attack: {ratios}; good sockets lost: {lost}")
        failed |= during.p50 > 2 * before.p50 or bool(lost or sum(p.missing for p in phases))
    if failed:
        raise SystemExit("The good subscribers noticed: more than twice their normal delay.")


if __name__ == "__main__":
    main()
