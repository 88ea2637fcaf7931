"""Does each event arrive once and in order, whatever fails? `python -m benchmarks.faults`

Writers write without a pause, clients watch everything or one category and come back with
their cursor, and one fault follows the other (tests/e2e/faults has the parts). In the end each
client must have had exactly the committed events of its groups, in the order of the commits.
Runs on a PostgreSQL and a Redis of its own with two server processes, or on SQLite with one.
"""

import argparse
import asyncio
import sys
from dataclasses import asdict

from benchmarks import machine
from benchmarks.report import append, table
from tests.e2e.faults.clerks import clerks
from tests.e2e.faults.faults import EMBEDDED, SERVICES
from tests.e2e.faults.installation import Installation, open_folder
from tests.e2e.faults.trial import Phase, Trial, trial

# Within which clients must have caught up.
PATIENCE_SECONDS = 120
# Database → the servers' kinds, and how many processes write.
DATABASES = {"postgres": (("uvicorn", "gunicorn"), 4), "sqlite": (("uvicorn",), 1)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, default="postgres")
    parser.add_argument("--events", type=int, default=20_000, help="in all phases together")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--faults", nargs="+", choices=SERVICES, metavar="FAULT", help=_faults())
    parser.add_argument("--kinds", nargs="+", help="of the servers: uvicorn, gunicorn, daphne")
    parser.add_argument("--seconds", type=float, default=30.0, help="of writing in each phase")
    options = parser.parse_args()
    kinds, options.writers = DATABASES[options.database]
    options.kinds = options.kinds or list(kinds)
    possible = SERVICES if options.database == "postgres" else EMBEDDED
    options.faults = options.faults or list(possible)
    if impossible := set(options.faults) - set(possible):
        parser.error(f"not on {options.database}: {', '.join(sorted(impossible))}")
    return options


def _faults() -> str:
    return "; ".join(f"{name}: {fault.__doc__}" for name, fault in SERVICES.items())


async def run(options: argparse.Namespace) -> tuple[Trial, list[str]]:
    """Return the trial after its end, and what is wrong with the log itself."""
    services = options.database == "postgres"
    events = options.events // len(options.faults)
    rate = events / options.seconds / options.writers
    how = {"patience": PATIENCE_SECONDS, "rate": rate, "pace": 1}
    with open_folder() as folder:
        installation = Installation(folder, options.kinds, services=services)
        async with (
            installation.run(),
            clerks(installation.environment, 2 + options.writers) as staff,
            trial(installation, staff, options.clients, **how) as running,
        ):
            for name in options.faults:
                phase = await running.under(name, SERVICES[name], events)
                print(f"{name}: caught up in {_seconds(phase.catch_up_seconds)}", file=sys.stderr)
            return running, await running.judged()


def markdown(phases: list[Phase]) -> str:
    """Return the table."""
    head = ["fault", "events", "lost", "duplicated", "out of order", "seconds to catch up"]
    head += ["longest delay, s", "how connections ended"]
    return table(head, [_row(phase) for phase in phases])


def _row(phase: Phase) -> list[object]:
    verdict = phase.verdict
    faults = (verdict.lost, verdict.duplicated, verdict.out_of_order)
    return [
        *(SERVICES[phase.fault].__doc__, f"{phase.events:,}"),
        *(f"{len(events):,}" for events in faults),
        *(_seconds(phase.catch_up_seconds), f"{phase.longest_delay:.2f}", _endings(phase.endings)),
    ]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"


def _endings(endings: dict[str, int]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in endings.items()) or "–"


def complaints(running: Trial, errors: list[str]) -> list[str]:
    """Return what was promised and did not hold, beside what stands in the table."""
    return [
        *errors,
        *running.shortcomings,
        *(f"{ordinal} came to a client that should not have it" for ordinal in running.foreign),
        *(f"{count} clients were ended by {code}" for code, count in running.refusals().items()),
    ]


def main() -> None:
    options = parse()
    options.machine = machine.description()
    machine.raise_file_limit(2 * options.clients + 500)
    running, errors = asyncio.run(run(options))
    print(markdown(running.phases))
    wrong = complaints(running, errors)
    deliveries = sum(len(watcher.received) for watcher in running.watchers)
    print(f"\n{deliveries:,} deliveries to {len(running.watchers)} clients.", *wrong, sep="\n")
    figures = {"phases": [asdict(phase) for phase in running.phases], "wrong": wrong}
    append("faults", vars(options), {**figures, "deliveries": deliveries})
    clean = all(phase.is_clean for phase in running.phases)
    if wrong or not clean:
        raise SystemExit("Not every event arrived once and in order: see above.")


if __name__ == "__main__":
    main()
