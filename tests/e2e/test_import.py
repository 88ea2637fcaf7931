"""The main job on real input: an import, with a subscriber to each disease category watching."""

import asyncio
import csv
import os
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.servers import ROOT
from tests.e2e.ward import CATEGORIES, EVERYTHING, Ward

SYNTHEA = ROOT.parent / "shared" / "data" / "synthea"
ACUTE = ("inpatient", "emergency", "urgentcare")

SMALL_PATIENTS = """\
Id,BIRTHDATE,FIRST,LAST,GENDER
p1,1950-01-31,Abe,Zola,M
p2,1990-02-28,Bea,Young,F
p3,2001-03-31,Cid,Xu,M
p4,1970-04-30,Dot,Wood,F
"""
# p1: an emergency counts, not the check-up after it. p2: still in. p3: no disease.
# p4: of two stays, the later one.
SMALL_ENCOUNTERS = """\
Id,START,STOP,PATIENT,ENCOUNTERCLASS,DESCRIPTION,REASONCODE,REASONDESCRIPTION
e1,2020-01-01T08:00:00Z,2020-01-03T08:00:00Z,p1,emergency,Emergency,59621000,Hypertension
e2,2021-01-01T08:00:00Z,2021-01-01T09:00:00Z,p1,wellness,Check-up,195967001,Asthma
e3,2020-05-01T08:00:00Z,,p2,inpatient,Admission,195967001,Asthma
e4,2019-05-01T08:00:00Z,2019-05-01T09:00:00Z,p3,wellness,Check-up,,
e6,2020-07-01T08:00:00Z,2020-07-02T08:00:00Z,p4,inpatient,Admission,59621000,Hypertension
e5,2018-07-01T08:00:00Z,2018-07-02T08:00:00Z,p4,urgentcare,Visit,195967001,Asthma
"""
SMALL_CHAPTERS = """\
snomed_code,snomed_term,icd10_chapter
59621000,Hypertension,IX
195967001,Asthma,X
"""


@dataclass(frozen=True)
class Export:
    """A folder in Synthea's CSV layout, and a table of chapters."""

    folder: Path

    @property
    def arguments(self) -> list[str]:
        chapters = self.folder / "reason_chapters.csv"
        return ["import_patients", str(self.folder), "--chapters", str(chapters)]

    def read(self, name: str) -> list[dict[str, str]]:
        with (self.folder / f"{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def expected(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Return subscriber → patient's external id → (chapter, status), from the files alone."""
        chapters = {r["snomed_code"]: r["icd10_chapter"] for r in self.read("reason_chapters")}
        encounters = defaultdict(list)
        for row in self.read("encounters"):
            encounters[row["PATIENT"]].append(row)
        expected: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
        for patient in self.read("patients"):
            rows = encounters[patient["Id"]]
            rows = [row for row in rows if row["ENCOUNTERCLASS"] in ACUTE] or rows
            # sorted() is stable: of two that began at once, the later row counts.
            latest = sorted(rows, key=lambda row: row["START"])[-1]
            chapter = chapters.get(latest["REASONCODE"], "XXI")
            about = (chapter, "DISCHARGED" if latest["STOP"] else "ADMITTED")
            for subscriber in (EVERYTHING, chapter):
                expected[subscriber][patient["Id"]] = about
        return dict(expected)


@pytest.fixture
def small_export(tmp_path):
    for name, text in (
        ("patients", SMALL_PATIENTS),
        ("encounters", SMALL_ENCOUNTERS),
        ("reason_chapters", SMALL_CHAPTERS),
    ):
        (tmp_path / f"{name}.csv").write_text(text)
    return Export(tmp_path)


@pytest.fixture
def synthea_export():
    if not SYNTHEA.is_dir():
        message = f"no Synthea export in {os.path.relpath(SYNTHEA, ROOT)}: put one there"
        pytest.skip(message)  # data beside the project, not a part of the machine
    return Export(SYNTHEA)


@pytest.fixture(params=["small_export", "synthea_export"])
def export(request):
    return request.getfixturevalue(request.param)


async def import_into(server, export: Export) -> None:
    await asyncio.to_thread(server.manage, *export.arguments)


def about(event):
    """Return what the test compares of an event; `pk` is the row's number, as written."""
    patient = event["patient"]
    kind, pk = b64decode(patient["id"]).decode().split(":")
    assert kind == "Patient"
    facts = (patient["category"]["code"], patient["status"])
    return int(pk), patient["externalId"], facts


async def test_every_imported_patient_reaches_exactly_its_subscribers(server, export):
    expected = export.expected()
    async with Ward(server) as ward:
        await import_into(server, export)
        told = await ward.told(about)

        assert told.keys() == expected.keys()
        for who, events in told.items():
            order = [pk for pk, _, _ in events]
            assert order == sorted(order), f"{who}: not in the order of writing"
            assert len(events) == len(expected[who]), f"{who}: too many, or too few"
            assert {external_id: facts for _, external_id, facts in events} == expected[who]

        await import_into(server, export)
        assert await ward.told() == {}, "the same import once more is no news"


async def test_the_expectation_is_worth_something(small_export):
    """What the files say is worked out here apart from the importer; this pins it by hand."""
    assert small_export.expected() == {
        EVERYTHING: {
            "p1": ("IX", "DISCHARGED"),
            "p2": ("X", "ADMITTED"),
            "p3": ("XXI", "DISCHARGED"),
            "p4": ("IX", "DISCHARGED"),
        },
        "IX": {"p1": ("IX", "DISCHARGED"), "p4": ("IX", "DISCHARGED")},
        "X": {"p2": ("X", "ADMITTED")},
        "XXI": {"p3": ("XXI", "DISCHARGED")},
    }
    assert set(CATEGORIES) >= {"IX", "X", "XXI"}


async def test_a_second_import_tells_only_of_what_changed(server, small_export):
    await import_into(server, small_export)
    encounters = small_export.folder / "encounters.csv"
    went_home = SMALL_ENCOUNTERS.replace("08:00:00Z,,p2", "08:00:00Z,2020-05-09T08:00:00Z,p2")
    encounters.write_text(went_home)
    async with Ward(server) as ward:
        await import_into(server, small_export)
        told = await ward.told()
    assert told == {EVERYTHING: ["discharged Bea Young"], "X": ["discharged Bea Young"]}


async def test_a_bad_import_tells_nobody(server, small_export):
    patients = small_export.folder / "patients.csv"
    patients.write_text(SMALL_PATIENTS.replace("p", "q").replace("1990-02-28", "yesterday"))
    encounters = small_export.folder / "encounters.csv"
    encounters.write_text(SMALL_ENCOUNTERS.replace(",p", ",q"))
    async with Ward(server) as ward:
        failed = await asyncio.to_thread(server.manage, *small_export.arguments, check=False)
        assert failed.returncode != 0
        assert "patients.csv, line 3" in failed.stderr
        assert await ward.told() == {}
