"""`manage.py import_patients`: what it writes, what it tells, and what it refuses."""

import csv
import os

import pytest
from django.db import IntegrityError, OperationalError, connection

from patients.importers.store import PatientStore
from patients.importers.synthea import SyntheaExport
from patients.models import DiseaseCategory, Patient
from tests.patients.importers.exports import encounter, patient, write_export
from tests.patients.importing import LAST, Run, register_last
from tests.patients.watching import CHANGED, NEW, Watch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An export of three patients; it is the working directory too."""
    monkeypatch.chdir(tmp_path)
    return write_export(
        tmp_path,
        [patient("ann"), patient("ben", GENDER="M"), patient("cid", GENDER="M")],
        [
            encounter("ann", REASONCODE="91302008", REASONDESCRIPTION="Sepsis"),
            encounter("ben", STOP="", REASONCODE="7", REASONDESCRIPTION="Something else"),
            encounter("cid", STOP=""),
        ],
    )


@pytest.fixture
def table(folder):
    """A table with the chapter of one reason."""
    path = folder / "table.csv"
    path.write_text("snomed_code,snomed_term,icd10_chapter\n91302008,Sepsis,I\n")
    return path


def spoil(folder):
    """Make Ben's row bad."""
    path = folder / "patients.csv"
    rows = path.read_text().splitlines(keepends=True)
    rows[2] = rows[2].replace("1970-01-31", "31 January")
    path.write_text("".join(rows))


def rename_last():
    """Change the patient whose event ends a Watch of changes."""
    last = Patient.objects.create(name="Soon", category=DiseaseCategory.objects.get(code="I"))
    last.name = LAST
    last.save()
    return LAST


# ---- what it writes


def test_it_writes_every_field(folder, table):
    run = Run(folder, "--chapters", table)
    assert run.error is None
    assert run.out == "3 created, 0 updated, 0 unchanged, 0 rejected.\n"
    assert run.err == ""
    ann, ben, cid = Patient.objects.select_related("category").order_by("external_id")
    assert (ann.name, ann.sex, str(ann.birth_date)) == ("Ann Ann", "female", "1970-01-31")
    assert (ann.status, ann.category.code, ann.reason) == ("discharged", "I", "Sepsis")
    assert ann.admitted_at.isoformat() == "2020-01-01T10:00:00+00:00"
    assert ann.discharged_at.isoformat() == "2020-01-02T10:00:00+00:00"
    assert (ben.status, ben.discharged_at) == ("admitted", None)
    assert (ben.category.code, ben.reason) == ("XXI", "Something else")
    assert (cid.category.code, cid.reason) == ("XXI", "Hospital admission")


def test_without_a_table_all_go_to_the_default_chapter(folder):
    Run(folder)
    assert set(Patient.objects.values_list("category__code", flat=True)) == {"XXI"}


def test_each_new_patient_is_told_of_once(folder, nurse):
    with Watch(nurse, NEW) as watch:
        Run(folder, "--batch-size", "2")
        assert watch.names_until(register_last()) == ["Ann Ann", "Ann Ben", "Ann Cid"]


def test_subscribers_of_a_category_are_told_of_theirs(folder, table, nurse):
    query = 'subscription { onNewPatient(category: "I") { patient { name } } }'
    with Watch(nurse, query) as watch:
        Run(folder, "--chapters", table)
        assert watch.names_until(register_last()) == ["Ann Ann"]


def test_a_second_run_changes_nothing_and_tells_nobody(folder, table, nurse):
    Run(folder, "--chapters", table)
    before = list(Patient.objects.order_by("pk").values())
    with Watch(nurse, NEW) as new, Watch(nurse, CHANGED) as changed:
        run = Run(folder, "--chapters", table)
        assert run.out == "0 created, 0 updated, 3 unchanged, 0 rejected.\n"
        assert list(Patient.objects.order_by("pk").values()) == before
        assert changed.until(rename_last()) == []
        assert new.names_until(register_last()) == ["Soon"]


def test_changed_rows_are_updated_and_told_of_once(folder, table, nurse):
    Run(folder, "--chapters", table)
    write_export(
        folder,
        [patient("ann"), patient("ben", GENDER="M", LAST="Renamed"), patient("cid", GENDER="M")],
        [
            encounter("ann", REASONCODE="91302008", REASONDESCRIPTION="Sepsis"),
            encounter("ben", STOP="", REASONCODE="7", REASONDESCRIPTION="Something else"),
            encounter("cid", REASONCODE="91302008", REASONDESCRIPTION="Sepsis"),
        ],
    )
    with Watch(nurse, CHANGED) as watch:
        run = Run(folder, "--chapters", table)
        assert run.out == "0 created, 2 updated, 1 unchanged, 0 rejected.\n"
        told = [(e["change"], e["patient"]["name"]) for e in watch.until(rename_last())]
    assert told == [("UPDATED", "Ann Renamed"), ("DISCHARGED", "Ann Cid")]
    cid = Patient.objects.get(external_id="cid")
    assert (cid.status, cid.category.code) == ("discharged", "I")


def test_a_patient_who_comes_again_is_admitted_again(folder):
    Run(folder)
    back = encounter("ann", START="2024-01-01T00:00:00Z", STOP="")
    write_export(folder, [patient("ann")], [encounter("ann"), back])
    assert "1 updated" in Run(folder).out
    ann = Patient.objects.get(external_id="ann")
    assert (ann.status, ann.discharged_at, ann.admitted_at.year) == ("admitted", None, 2024)


def test_patients_without_an_external_id_are_left_alone(folder, categories):
    Patient.objects.create(name="Ann Ann", category=categories["I"])
    assert Run(folder).out.startswith("3 created")
    assert Patient.objects.get(external_id="").category.code == "I"


def test_external_ids_are_found_by_the_index(db):
    if connection.vendor != "sqlite":
        pytest.skip("other planners take no index for an empty table")
    plan = PatientStore({}, {})._rows(["ann", "ben"]).explain()
    assert "USING INDEX patient_external_id_unique (external_id=?)" in plan


# ---- what it refuses


def test_a_bad_row_is_listed_and_nothing_is_written(folder, nurse):
    spoil(folder)
    with Watch(nurse, NEW) as watch:
        run = Run(folder)
        assert run.err == "patients.csv, line 3: BIRTHDATE is not a date (YYYY-MM-DD)\n"
        assert run.error == (
            "Rows that cannot be imported: 1. Nothing was written. "
            "Mend them, or leave them out with --skip-bad."
        )
        assert not Patient.objects.exists()
        assert not (folder / "rejects.csv").exists()
        assert watch.until(register_last()) == []


def test_skip_bad_writes_the_others_and_a_rejects_file(folder):
    spoil(folder)
    run = Run(folder, "--skip-bad")
    assert run.error is None
    assert run.err == "patients.csv, line 3: BIRTHDATE is not a date (YYYY-MM-DD)\n"
    assert run.out == "2 created, 0 updated, 0 unchanged, 1 rejected.\n"
    with (folder / "rejects.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["file", "line", "reason"],
            ["patients.csv", "3", "BIRTHDATE is not a date (YYYY-MM-DD)"],
        ]
    assert sorted(path.name for path in folder.glob("*rejects*")) == ["rejects.csv"]


def test_the_rejects_file_can_lie_elsewhere(folder, tmp_path_factory):
    spoil(folder)
    path = tmp_path_factory.mktemp("elsewhere") / "left-out.csv"
    Run(folder, "--skip-bad", "--rejects", path)
    assert len(path.read_text().splitlines()) == 2
    assert not (folder / "rejects.csv").exists()


@pytest.mark.parametrize("name", ["patients.csv", "encounters.csv", "table.csv", "."])
def test_the_rejects_file_may_not_replace_what_is_read(folder, table, name):
    before = table.read_text(), (folder / "patients.csv").read_text()
    run = Run(folder, "--chapters", table, "--skip-bad", "--rejects", folder / name)
    assert "may not take this place" in run.error
    assert (table.read_text(), (folder / "patients.csv").read_text()) == before
    assert not Patient.objects.exists()


def test_a_rejects_file_that_cannot_be_written_stops_all(folder):
    run = Run(folder, "--skip-bad", "--rejects", folder / "no" / "such.csv")
    assert "No such file or directory" in run.error
    assert not Patient.objects.exists()


def test_rejects_without_skip_bad_is_a_mistake(folder):
    assert "--skip-bad" in Run(folder, "--rejects", "r.csv").error
    assert not Patient.objects.exists()


@pytest.mark.parametrize("missing", ["patients.csv", "encounters.csv"])
def test_a_missing_file(folder, missing):
    (folder / missing).unlink()
    assert Run(folder).error == f"{folder / missing}: No such file or directory"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "encounters.csv is empty"),
        (b"PATIENT,START\n", "encounters.csv has no column STOP, ENCOUNTERCLASS"),
        ("PATIENT,START\n".encode("utf-16"), "encounters.csv is not UTF-8"),
    ],
)
def test_a_file_of_another_kind(folder, content, error):
    (folder / "encounters.csv").write_bytes(content)
    run = Run(folder, "--skip-bad")
    assert run.error.startswith(error)
    assert not Patient.objects.exists()
    assert not list(folder.glob("*rejects*"))


def test_a_category_that_is_not_there_is_named_with_its_code(folder, table):
    DiseaseCategory.objects.filter(code="I").delete()
    run = Run(folder, "--chapters", table)
    assert run.error == ("table.csv, line 2: 'I', the chapter of 91302008, is no disease category")
    assert not Patient.objects.exists()


def test_the_default_category_has_to_be_there(folder):
    DiseaseCategory.objects.filter(code="XXI").delete()
    assert "no disease category XXI" in Run(folder).error


@pytest.mark.parametrize("size", ["0", "-1", "many"])
def test_a_batch_size_that_is_none(folder, size):
    assert "batch-size" in Run(folder, "--batch-size", size).error


# ---- what cuts it off


@pytest.fixture
def second_batch_fails(monkeypatch):
    """Return a function that lets the second batch fail with an error, once."""

    def fail(error):
        write, calls = PatientStore.write, []

        def fails(store, batch):
            calls.append(batch)
            if len(calls) == 2:
                raise error
            return write(store, batch)

        monkeypatch.setattr(PatientStore, "write", fails)

    return fail


@pytest.mark.parametrize("error", [KeyboardInterrupt, "database"])
def test_an_import_that_was_cut_off_is_finished_by_the_next(
    folder, nurse, second_batch_fails, error
):
    second_batch_fails(KeyboardInterrupt() if error is KeyboardInterrupt else OperationalError("x"))
    with Watch(nurse, NEW) as watch:
        run = Run(folder, "--batch-size", "1")
        assert "Before that: 1 created" in run.error
        assert Patient.objects.count() == 1
        assert Run(folder).out == "2 created, 0 updated, 1 unchanged, 0 rejected.\n"
        assert watch.names_until(register_last()) == ["Ann Ann", "Ann Ben", "Ann Cid"]


def test_what_the_database_says_of_a_row_is_not_shown(folder, monkeypatch):
    def write(store, batch):
        raise IntegrityError("Failing row contains (Ann Ben)")

    monkeypatch.setattr(PatientStore, "write", write)
    run = Run(folder)
    assert "IntegrityError" in run.error
    assert "Ben" not in run.error


def test_a_file_that_changes_before_it_is_written_stops_it(folder, monkeypatch):
    def admissions(export, original=SyntheaExport.admissions):
        os.utime(folder / "patients.csv", (0, 0))
        yield from original(export)

    monkeypatch.setattr(SyntheaExport, "admissions", admissions)
    assert Run(folder).error == "patients.csv was changed while it was read"
    assert not Patient.objects.exists()
