"""The log's part of a registration, measured in a process of its own; prints JSON.

`python -m benchmarks.append_cost PATIENTS`, with DATABASE_URL in its environment: of a
database that has been migrated.
"""

# ruff: noqa: E402  the apps must be loaded before what uses them is imported
import itertools
import json
import os
import sys
import time
from unittest.mock import patch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")

import django

django.setup()

from live import log
from live.cursor import Cursor
from live.sender import sender
from patients.models import DiseaseCategory, Patient

# With and without take turns, so that whatever else the machine does meets both.
BLOCK = 25

_numbers = itertools.count(1)


def without_log(records: list[bytes]) -> Cursor:
    """Stand in for live.log.append: the broadcast goes on as if it had been appended."""
    return Cursor(0, next(_numbers))


def create(count: int, category: DiseaseCategory) -> tuple[float, float]:
    """Register patients, and wait until all is sent; return CPU seconds and seconds."""
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(count):
        Patient.objects.create(name="Patient", category=category)
    sender().flush()
    return time.process_time() - cpu, time.perf_counter() - start


def measure(patients: int) -> dict[str, list[float]]:
    """Return {"with": [CPU, elapsed], "without": …}, in microseconds for each patient."""
    category = DiseaseCategory.objects.first()
    create(2 * BLOCK, category)
    sums = {"with": [0.0, 0.0], "without": [0.0, 0.0]}
    blocks = max(1, patients // BLOCK)
    for _ in range(blocks):
        _add(sums["with"], create(BLOCK, category))
        with patch.object(log, "append", without_log):
            _add(sums["without"], create(BLOCK, category))
    each = 1e6 / (blocks * BLOCK)
    return {how: [value * each for value in values] for how, values in sums.items()}


def _add(sums: list[float], values: tuple[float, float]) -> None:
    sums[:] = [total + value for total, value in zip(sums, values, strict=True)]


if __name__ == "__main__":
    json.dump(measure(int(sys.argv[1])), sys.stdout)
