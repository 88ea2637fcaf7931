"""Figures as a Markdown table, and as JSON beside those of earlier runs."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

Head, Rows = list[str], list[list[str]]


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table; its first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def append(name: str, options: dict[str, Any], figures: Any) -> None:
    """Add a run to results/NAME.json, which is a list of runs.

    Args:
        name: of the benchmark.
        options: what the run was asked for, and the machine's description.
        figures: what came out, as JSON has it.
    """
    file = RESULTS / f"{name}.json"
    runs = json.loads(file.read_text()) if file.exists() else []
    at = datetime.now(UTC).isoformat(timespec="seconds")
    runs.append({"at": at, **options, "results": figures})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(runs, indent=1) + "\n")


def run_parts(
    name: str,
    parts: Mapping[str, Callable[[argparse.Namespace], tuple[Head, Rows]]],
    options: argparse.Namespace,
) -> None:
    """Run those of `parts` that `options.parts` names; print and keep their tables."""
    results = {}
    for part in options.parts:
        head, rows = parts[part](options)
        print(f"\n### {part}\n\n{table(head, rows)}", flush=True)
        results[part] = [dict(zip(head, row, strict=True)) for row in rows]
    append(name, vars(options), results)


def spread(ordered: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the 99th percentile and the last of values that are sorted."""
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]
