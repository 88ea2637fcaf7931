# ruff: noqa: E402  the apps must be loaded before what uses them is imported
"""What a page of a search costs among 100,000 patients; prints a table.

`python -m benchmarks.search`, with DATABASE_URL in its environment: of a database that has been
migrated. Patients that are missing up to 100,000 are made, and stay.
"""

import datetime
import os
import random
import statistics
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "server.settings")

import django

django.setup()

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from patients.models import DiseaseCategory, Patient
from patients.search import matching

PATIENTS = 100_000
PAGE = 101
RUNS = 9
SYLLABLES = [a + b for a in "bdfghjklmnpqrstvwxyz" for b in "aeiou"]
# Common and rare, short and long, found and not, and the most words that are taken.
SEARCHES = (
    "a",
    "zz",
    "kalo",
    "kamine",
    "e-99999",
    "nosuchword",
    "waxa q j z",
    "a e i o u k l r zz",
)


def make_patients() -> None:
    """Make those that are missing, without events: nobody is admitted."""
    dice, now = random.Random(1), timezone.now()
    categories = list(DiseaseCategory.objects.all())
    for first in range(Patient.objects.count(), PATIENTS, 2000):
        rows = [
            Patient(
                name=f"{_word(dice)} {_word(dice)}".title(),
                category=dice.choice(categories),
                reason=" ".join(_word(dice) for _ in range(5)),
                external_id=f"E-{number}",
                admitted_at=now - datetime.timedelta(minutes=number),
            )
            for number in range(first, min(first + 2000, PATIENTS))
        ]
        QuerySet(Patient).bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _word(dice: random.Random) -> str:
    return "".join(dice.choice(SYLLABLES) for _ in range(dice.randint(2, 4)))


def page_seconds(text: str) -> tuple[int, list[float]]:
    """Return how many rows a page of the search has, and the seconds of each run."""
    found, seconds = matching(Patient.objects.select_related("category"), text), []
    for _ in range(RUNS):
        start = time.perf_counter()
        rows = list(found.all()[:PAGE])
        seconds.append(time.perf_counter() - start)
    return len(rows), seconds


def main() -> None:
    make_patients()
    print(f"{connection.vendor}, {Patient.objects.count():,} patients\n")
    print("| search | rows | median ms | worst ms |\n| --- | ---: | ---: | ---: |")
    for text in SEARCHES:
        rows, seconds = page_seconds(text)
        median, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
        print(f"| {text} | {rows} | {median:.1f} | {worst:.1f} |")


if __name__ == "__main__":
    main()
