"""`manage.py import_patients` with a real export."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from patients.models import Patient
from tests.e2e.servers import ROOT
from tests.patients.importing import Run, register_last
from tests.patients.watching import NEW, Watch

pytestmark = pytest.mark.django_db(transaction=True)

SYNTHEA = ROOT.parent / "shared" / "data" / "synthea"


@pytest.fixture
def synthea():
    """The folder of a real export with its table."""
    if not SYNTHEA.is_dir():
        pytest.skip(
            "the sample data is missing: put Synthea's CSV export in ../shared/data/synthea"
        )
    return SYNTHEA


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def expected(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Work out (category, status, start) of each patient in another way: sort, then look."""
    chapters = {r["snomed_code"]: r["icd10_chapter"] for r in read(folder / "reason_chapters.csv")}
    stays: dict[str, dict[str, str]] = {}
    # ISO times in UTC sort as text; the last one written for each patient stays.
    for row in sorted(read(folder / "encounters.csv"), key=lambda row: row["START"]):
        if row["ENCOUNTERCLASS"] not in ("inpatient", "emergency", "urgentcare"):
            stays[row["PATIENT"]] = row
    for row in sorted(read(folder / "encounters.csv"), key=lambda row: row["START"]):
        if row["ENCOUNTERCLASS"] in ("inpatient", "emergency", "urgentcare"):
            stays[row["PATIENT"]] = row
    return {
        patient: (
            chapters.get(row["REASONCODE"], "XXI"),
            "discharged" if row["STOP"] else "admitted",
            row["START"],
        )
        for patient, row in stays.items()
    }


def test_a_real_export(synthea, nurse):
    table = synthea / "reason_chapters.csv"
    with Watch(nurse, NEW) as watch:
        run = Run(synthea, "--chapters", table)
        told = watch.names_until(register_last())
    assert run.out == "115 created, 0 updated, 0 unchanged, 0 rejected.\n"
    people = {row["Id"]: row for row in read(synthea / "patients.csv")}
    assert told == [f"{row['FIRST']} {row['LAST']}" for row in people.values()]
    imported = Patient.objects.exclude(external_id="").select_related("category")
    found = {
        p.external_id: (p.category.code, p.status, f"{p.admitted_at:%Y-%m-%dT%H:%M:%SZ}")
        for p in imported
    }
    assert found == expected(synthea)
    sexes = Counter({"M": "male", "F": "female"}[row["GENDER"]] for row in people.values())
    assert Counter(p.sex for p in imported) == sexes
    assert Run(synthea, "--chapters", table).out.startswith("0 created, 0 updated, 115 unchanged")
