"""Which patients an export holds, and which of its rows cannot be imported."""

import datetime
import os

import pytest

from patients.importers import synthea
from patients.importers.csvfile import ImportFailed
from patients.importers.synthea import SyntheaExport
from patients.models import Patient
from tests.patients.importers.exports import encounter, patient, write_export

TODAY = datetime.date(2026, 6, 1)
UTC = datetime.UTC


@pytest.fixture
def load(tmp_path):
    """Return a function that writes an export and gives (admissions by id, bad rows)."""

    def load(patients, encounters, **options):
        export = SyntheaExport(write_export(tmp_path, patients, encounters, **options), TODAY)
        bad = [str(row) for row in export.check()]
        admissions = {one.person.external_id: one for one in export.admissions()}
        assert export.count == len(admissions)
        return admissions, bad

    return load


def test_a_patient_with_everything(load):
    admissions, bad = load([patient("p", FIRST="Zoë", LAST="Ng")], [encounter("p")])
    assert not bad
    person, stay = admissions["p"].person, admissions["p"].encounter
    assert (person.name, person.sex) == ("Zoë Ng", "female")
    assert person.birth_date == datetime.date(1970, 1, 31)
    assert stay.start == datetime.datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert stay.stop == datetime.datetime(2020, 1, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gender", "sex"),
    [
        ("M", "male"),
        ("F", "female"),
        ("f", "female"),
        ("O", "other"),
        ("", "unknown"),
        ("?", "unknown"),
    ],
)
def test_sex(load, gender, sex):
    admissions, _ = load([patient("p", GENDER=gender)], [encounter("p")])
    assert admissions["p"].person.sex == sex


def chosen(load, *encounters):
    """Return the line of the encounter that counts."""
    admissions, bad = load([patient("p")], list(encounters))
    assert not bad
    return admissions["p"].encounter.line


@pytest.mark.parametrize("kind", ["inpatient", "emergency", "urgentcare", "Inpatient"])
def test_an_acute_encounter_counts_before_a_later_other_one(load, kind):
    acute = encounter("p", ENCOUNTERCLASS=kind)
    later = encounter("p", ENCOUNTERCLASS="wellness", START="2021-01-01T00:00:00Z", STOP="")
    assert chosen(load, later, acute) == 3


def test_of_acute_encounters_the_latest_counts_wherever_it_stands(load):
    late = encounter("p", START="2020-01-01T10:00:00Z")
    early = encounter("p", START="2020-01-01T10:30:00+02:00", ENCOUNTERCLASS="emergency")
    assert chosen(load, early, late, early) == 3


def test_without_an_acute_encounter_the_latest_counts(load):
    rows = [
        encounter("p", ENCOUNTERCLASS=kind, START=f"20{year}-01-01T00:00:00Z", STOP="")
        for kind, year in (("wellness", 10), ("outpatient", 19), ("", 12))
    ]
    assert chosen(load, *rows) == 3


def test_of_two_that_start_at_once_the_further_down_counts(load):
    assert chosen(load, encounter("p"), encounter("p")) == 3


def test_the_reason_is_the_encounters_description_where_there_is_no_other(load):
    admissions, _ = load(
        [patient("p"), patient("q")],
        [
            encounter("p", REASONCODE="91302008", REASONDESCRIPTION="Sepsis"),
            encounter("q", DESCRIPTION="Check-up"),
        ],
    )
    p, q = admissions["p"].encounter, admissions["q"].encounter
    assert (p.reason_code, p.reason) == ("91302008", "Sepsis")
    assert (q.reason_code, q.reason) == ("", "Check-up")


@pytest.mark.parametrize(
    "start", ["2020-01-01T10:00Z", "2020-01-01 10:00:00", "2020-01-01T11:00:00+01:00"]
)
def test_times_are_utc_unless_they_say_otherwise(load, start):
    admissions, _ = load([patient("p")], [encounter("p", START=start, STOP="")])
    assert admissions["p"].encounter.start == datetime.datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert admissions["p"].encounter.stop is None


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Id": " "}, "Id is blank"),
        ({"Id": "i" * 101}, "Id is longer than 100 characters"),
        ({"FIRST": " ", "LAST": "\u00a0"}, "FIRST and LAST are blank"),
        ({"FIRST": "f" * 200}, "FIRST with LAST is longer than 200 characters"),
        ({"FIRST": "a\0b"}, "FIRST with LAST holds a NUL character"),
        ({"BIRTHDATE": "31.1.1970"}, "BIRTHDATE is not a date (YYYY-MM-DD)"),
        ({"BIRTHDATE": "1970-02-30"}, "BIRTHDATE is not a date (YYYY-MM-DD)"),
        ({"BIRTHDATE": "2026-06-02"}, "BIRTHDATE is in the future"),
    ],
)
def test_a_bad_patient(load, cells, reason):
    bad_one = {**patient("bad"), **cells}
    encounters = [encounter("good"), *([encounter(bad_one["Id"])] if bad_one["Id"].strip() else [])]
    admissions, bad = load([patient("good"), bad_one], encounters)
    assert bad == [f"patients.csv, line 3: {reason}"]
    assert set(admissions) == {"good"}


def test_a_birth_today_or_unknown_is_fine(load):
    patients = [patient("p", BIRTHDATE="2026-06-01"), patient("q", BIRTHDATE="")]
    admissions, bad = load(patients, [encounter("p"), encounter("q")])
    assert not bad
    assert admissions["q"].person.birth_date is None


def test_of_two_patients_with_one_id_the_first_is_good(load):
    admissions, bad = load([patient("p", FIRST="Ann"), patient("p", FIRST="Eve")], [encounter("p")])
    assert bad == ["patients.csv, line 3: Id is that of line 2 already"]
    assert admissions["p"].person.name.startswith("Ann")


def test_of_two_with_one_id_the_second_does_not_stand_in_for_a_bad_first(load):
    admissions, bad = load([patient("p", BIRTHDATE="?"), patient("p")], [encounter("p")])
    assert len(bad) == 2
    assert not admissions


def test_a_patient_without_an_encounter_has_no_time_of_admission(load):
    admissions, bad = load([patient("p"), patient("q")], [encounter("q")])
    assert bad == ["patients.csv, line 2: has no encounter, so no time of admission"]
    assert set(admissions) == {"q"}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"START": ""}, "START is not a time (YYYY-MM-DDTHH:MM:SSZ)"),
        ({"START": "yesterday"}, "START is not a time (YYYY-MM-DDTHH:MM:SSZ)"),
        ({"START": "0001-01-01T00:00:00+09:00"}, "START is not a time (YYYY-MM-DDTHH:MM:SSZ)"),
        ({"STOP": "soon"}, "STOP is not a time (YYYY-MM-DDTHH:MM:SSZ)"),
        ({"STOP": "2019-01-01T00:00:00Z"}, "STOP is before START"),
        ({"REASONDESCRIPTION": "r" * 501}, "REASONDESCRIPTION is longer than 500 characters"),
        ({"DESCRIPTION": "r" * 501}, "DESCRIPTION is longer than 500 characters"),
    ],
)
def test_a_bad_encounter_that_counts_takes_its_patient_along(load, cells, reason):
    older = encounter("p", START="2010-01-01T00:00:00Z", STOP="")
    admissions, bad = load(
        [patient("p"), patient("q")], [older, encounter("p", **cells), encounter("q")]
    )
    assert bad == [
        f"encounters.csv, line 3: {reason}",
        "patients.csv, line 2: the encounter that counts is bad (line 3)",
    ]
    assert set(admissions) == {"q"}


@pytest.mark.parametrize(
    "cells",
    [
        {"START": "2019-01-01T00:00:00Z", "STOP": "soon"},
        {"START": "?", "ENCOUNTERCLASS": "wellness"},
    ],
)
def test_a_bad_encounter_that_cannot_count_leaves_its_patient_alone(load, cells):
    admissions, bad = load([patient("p")], [encounter("p"), encounter("p", **cells)])
    assert len(bad) == 1
    assert admissions["p"].encounter.line == 2


def test_an_encounter_of_nobody(load):
    rows = [encounter("p"), encounter("stranger"), encounter(" ")]
    admissions, bad = load([patient("p")], rows)
    assert bad == [
        "encounters.csv, line 3: PATIENT is no Id of patients.csv",
        "encounters.csv, line 4: PATIENT is blank",
    ]
    assert set(admissions) == {"p"}


def test_no_reason_quotes_a_cell(load):
    secret = "Geheim"
    _, bad = load(
        [patient("p", FIRST=secret, BIRTHDATE=secret), patient("q", LAST=secret * 99)],
        [encounter("p", START=secret), encounter("q", STOP=secret), encounter(secret)],
    )
    assert len(bad) == 5
    assert secret not in "".join(bad)


def test_crlf_bom_and_another_order_of_columns(tmp_path):
    folder = write_export(tmp_path, [patient("p")], [encounter("p")], encoding="utf-8-sig")
    (folder / "patients.csv").write_bytes(
        b"\xef\xbb\xbfLAST,FIRST,GENDER,BIRTHDATE,ID\r\nNg,Zoe,F,1970-01-31,p\r\n"
    )
    export = SyntheaExport(folder, TODAY)
    assert not list(export.check())
    assert [one.person.name for one in export.admissions()] == ["Zoe Ng"]


def test_a_file_that_is_missing_is_named(tmp_path):
    write_export(tmp_path, [], [])
    (tmp_path / "encounters.csv").unlink()
    with pytest.raises(ImportFailed, match=r"encounters\.csv: No such file"):
        SyntheaExport(tmp_path, TODAY)


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path):
    export = SyntheaExport(write_export(tmp_path, [patient("p")], [encounter("p")]), TODAY)
    list(export.check())
    export.require_unchanged()
    os.utime(tmp_path / "patients.csv", (0, 0))
    with pytest.raises(ImportFailed, match=r"patients\.csv was changed"):
        export.require_unchanged()


def test_texts_may_be_as_long_as_the_models_fields():
    for name, length in (
        ("name", synthea.NAME_LENGTH),
        ("reason", synthea.REASON_LENGTH),
        ("external_id", synthea.ID_LENGTH),
    ):
        assert Patient._meta.get_field(name).max_length == length


def test_sexes_are_the_models():
    assert {*synthea.SEXES.values(), "unknown"} == set(Patient.Sex.values)
