"""Run the benchmark; see README.md beside this file. `python -m benchmarks --help`."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine
from benchmarks.measure import Result, measure
from benchmarks.servers import APPLICATIONS, COMMANDS, House, Kind, house
from benchmarks.table import markdown

LATEST = Path(__file__).parent / "results" / "latest.json"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 subscribers, about 2 minutes")
    parser.add_argument("--applications", nargs="+", choices=APPLICATIONS)
    parser.add_argument("--hosts", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--layers", nargs="+", choices=["memory", "redis"])
    parser.add_argument("--subscribers", nargs="+", type=int)
    parser.add_argument("--groups", nargs="+", type=int, help="1 to 50; more than 1: at 2,000")
    parser.add_argument("--seconds", type=float, help="of each phase (there are seven)")
    parser.add_argument("--json", type=Path, default=LATEST, help="where the figures go")
    options = parser.parse_args(arguments)
    quick, full = [500], [500, 2000, 8000]
    options.subscribers = options.subscribers or (quick if options.quick else full)
    options.layers = options.layers or (["memory"] if options.quick else ["memory", "redis"])
    options.groups = options.groups or ([1] if options.quick else [1, 50])
    options.seconds = options.seconds or (1.0 if options.quick else 4.0)
    default = (
        ["wardcast", "wardcast-frames", "library", "floor"] if options.quick else list(APPLICATIONS)
    )
    options.applications = options.applications or default
    return options


def plan(options: argparse.Namespace) -> list[tuple[Kind, int, int]]:
    """Return what to measure, as (kind, subscribers, groups), by rising cost."""
    runs = []
    for subscribers in options.subscribers:
        for groups in options.groups:
            # Many groups are measured once, with two thousand or the most there are.
            if groups > 1 and subscribers != min(2000, max(options.subscribers)):
                continue
            for host in options.hosts:
                runs += [(kind, subscribers, groups) for kind in kinds(options, host)]
    return runs


def kinds(options: argparse.Namespace, host: str) -> list[Kind]:
    """Return the servers on `host`; the floor has no channel layer to choose."""
    return [
        Kind(application, host, layer)
        for application in options.applications
        for layer in options.layers
        if (layer == "memory" or "floor" not in application)
        and (host == "uvicorn" or application != "wardcast-frames")
    ]


def run(options: argparse.Namespace, house: House) -> list[Result]:
    results: list[Result] = []
    asked: set[Kind] = set()
    for kind, subscribers, groups in plan(options):
        print(f"{kind}, {subscribers:,} subscribers, {groups} groups …", file=sys.stderr)
        try:
            queries = kind not in asked
            result = measure(kind, house, subscribers, groups, options.seconds, queries)
        except RuntimeError as error:
            print(f"  FAILED: {error}", file=sys.stderr)
            continue
        asked.add(kind)
        results.append(result)
        print(f"  {result.cpu_us:.1f} µs a delivery", file=sys.stderr)
        write(options, results)
    return results


def write(options: argparse.Namespace, results: list[Result]) -> None:
    """Write what there is so far: a run may take an hour, and be cut off."""
    figures = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": options.machine,
        "seconds": options.seconds,
        "results": [result.as_dict() for result in results],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=1) + "\n")


def main() -> None:
    options = parse(sys.argv[1:])
    options.machine = machine.description()
    machine.raise_file_limit(2 * max(options.subscribers) + 500)
    with house(redis="redis" in options.layers) as shared:
        # Only now: the load's core is not the one the servers get.
        machine.pin(machine.cores()[1])
        results = run(options, shared)
    print(markdown(results))
    if any(r.missing or r.out_of_order or r.lost_sockets for r in results):
        raise SystemExit("Not every notification arrived, or not in order: see the table.")


if __name__ == "__main__":
    main()
