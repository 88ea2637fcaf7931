"""Imports in the background, in the embedded default: what they do and tell."""

import threading
import time

import pytest
from django.contrib.admin.models import LogEntry

from live.history import told
from patients.importers.store import PatientStore
from patients.imports import runner
from patients.imports.models import ImportRun, UploadedPart
from patients.models import DiseaseCategory, Patient
from patients.schema.import_progress import import_id
from tests.patients.asking import data
from tests.patients.imports.calls import (
    RUN,
    SECONDS,
    UPLOAD,
    ended,
    export,
    spoil,
    start,
)
from tests.patients.watching import NEW, Watch

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_directory_is_imported_and_told_of(registrar, nurse, root):
    with Watch(nurse, NEW) as watch:
        run = ended(registrar, start(registrar, directory="march"))
        Patient.objects.create(name="Last", category=DiseaseCategory.objects.get(code="I"))
        assert watch.names_until("Last") == ["Ann Ann", "Ann Ben", "Ann Cid"]
    numbers = {name: run[name] for name in ("done", "total", "rejected", "created")}
    assert numbers == {"done": 3, "total": 3, "rejected": 0, "created": 3}
    assert (run["state"], run["error"], run["rejects"]) == ("FINISHED", None, [])


def test_the_patients_histories_name_who_started_it(registrar, root):
    ended(registrar, start(registrar, directory="march"))
    entries = list(LogEntry.objects.order_by("pk"))
    assert [entry.get_edited_object().external_id for entry in entries] == ["ann", "ben", "cid"]
    assert {(entry.user, told(entry)) for entry in entries} == {(registrar, "Added. (import)")}


def test_a_table_of_chapters_in_the_directory_is_used(registrar, root):
    (root / "march" / "table.csv").write_text("snomed_code,icd10_chapter\n7,IV\n")
    ended(registrar, start(registrar, directory="march", chapters="table.csv"))
    assert Patient.objects.get(external_id="ann").category.code == "IV"


def test_what_is_uploaded_in_parts_is_imported_and_then_forgotten(registrar, tmp_path):
    folder = export(tmp_path / "here")
    upload = None
    for file, name in (("PATIENTS", "patients.csv"), ("ENCOUNTERS", "encounters.csv")):
        text = (folder / name).read_text()
        for part in (text[:50], text[50:]):
            answer = data(registrar, UPLOAD, file=file, content=part, upload=upload)
            upload = answer["uploadImportFile"]["upload"]
    table = "snomed_code,icd10_chapter\n7,IV\n"
    data(registrar, UPLOAD, file="CHAPTERS", content=table, upload=upload)
    run = start(registrar, upload=upload)
    assert run == upload
    assert ended(registrar, run)["created"] == 3
    assert Patient.objects.get(external_id="ann").category.code == "IV"
    assert not UploadedPart.objects.exists()


def test_the_mutation_answers_before_the_import_is_done(registrar, root, monkeypatch):
    may_write, write = threading.Event(), PatientStore.write

    def waits(store, batch):
        assert may_write.wait(SECONDS)
        return write(store, batch)

    monkeypatch.setattr(PatientStore, "write", waits)
    run = start(registrar, directory="march")
    assert not Patient.objects.exists()
    may_write.set()
    assert ended(registrar, run)["created"] == 3


def test_one_import_runs_after_the_other(registrar, root, monkeypatch, settings):
    settings.IMPORT_SILENCE_SECONDS = 1
    may_write, write, writing = threading.Event(), PatientStore.write, []

    def waits(store, batch):
        writing.append(batch)
        assert may_write.wait(SECONDS)
        return write(store, batch)

    monkeypatch.setattr(PatientStore, "write", waits)
    runs = [start(registrar, directory="march") for _ in range(2)]
    waiting = wait_until_waiting()
    for _ in range(5):  # together longer than the silence after which it would have failed
        wait_for_sign_of_life(waiting)
    assert len(writing) == 1
    assert data(registrar, RUN, id=import_id(waiting.pk))["importRun"]["state"] == "WAITING"
    may_write.set()
    ends = [ended(registrar, run) for run in runs]
    assert [run["state"] for run in ends] == ["FINISHED"] * 2
    assert sorted(run["created"] for run in ends) == [0, 3]


def until(find):
    """Return what `find` returns as soon as it is true."""
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks
    return found


def wait_until_waiting():
    """Return the import that waits while another is written."""
    until(lambda: ImportRun.objects.filter(state="writing").exists())
    return ImportRun.objects.get(state="waiting")


def wait_for_sign_of_life(run):
    before = run.alive_at
    until(lambda: ImportRun.objects.get(pk=run.pk).alive_at > before)
    run.refresh_from_db()


# ---- bad rows and bad files


def test_a_bad_row_stops_all_and_is_named(registrar, root):
    spoil(root / "march")
    run = ended(registrar, start(registrar, directory="march"))
    assert run["state"] == "FAILED"
    assert run["error"] == "Rows that cannot be imported: 1. Nothing was written."
    reason = "BIRTHDATE is not a date (YYYY-MM-DD)"
    assert run["rejects"] == [{"file": "patients.csv", "line": 2, "reason": reason}]
    assert not Patient.objects.exists()


def test_bad_rows_are_left_out_where_that_is_asked_for(registrar, root):
    spoil(root / "march")
    run = ended(registrar, start(registrar, directory="march", skipBad=True))
    assert (run["state"], run["created"], run["rejected"]) == ("FINISHED", 2, 1)


def test_more_rejects_than_are_listed_are_counted(registrar, root, monkeypatch):
    monkeypatch.setattr(runner, "MOST_REJECTS", 1)
    path = root / "march" / "patients.csv"
    path.write_text(path.read_text().replace("1970-01-31", "31 January"))
    run = ended(registrar, start(registrar, directory="march", skipBad=True))
    assert (run["rejected"], len(run["rejects"])) == (3, 1)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "encounters.csv is empty"),
        (b"PATIENT,START\n", "encounters.csv has no column STOP"),
        (b'"PATIENT', "encounters.csv, line 1: not CSV"),
        (b"PATIENT\xff", "encounters.csv is not UTF-8"),
    ],
)
def test_malformed_csv_is_said_to_be_so(registrar, root, content, error):
    (root / "march" / "encounters.csv").write_bytes(content)
    run = ended(registrar, start(registrar, directory="march"))
    assert run["state"] == "FAILED"
    assert run["error"].startswith(error)
    assert not Patient.objects.exists()


def test_no_text_of_an_exception_and_no_path_is_told(registrar, root, monkeypatch, caplog):
    def fails(store, batch):
        raise ValueError("Ann Ben was born")

    monkeypatch.setattr(PatientStore, "write", fails)
    run = ended(registrar, start(registrar, directory="march"))
    assert run["error"] == "Internal error (ValueError)."
    assert "Ben" not in caplog.text + str(run)


def test_a_file_that_goes_away_is_named_without_its_path(registrar, root, monkeypatch):
    def gone(folder, *arguments):
        (folder / "patients.csv").unlink()
        return original(folder, *arguments)

    original = runner.PatientImport
    monkeypatch.setattr(runner, "PatientImport", gone)
    run = ended(registrar, start(registrar, directory="march"))
    assert run["error"] == "patients.csv: No such file or directory"


def test_a_batch_that_fails_leaves_those_before_and_says_so(registrar, root, monkeypatch):
    write, calls = PatientStore.write, []

    def second_fails(store, batch):
        calls.append(batch)
        if len(calls) == 2:
            raise ValueError
        return write(store, batch)

    monkeypatch.setattr(PatientStore, "write", second_fails)
    monkeypatch.setattr(runner.PatientImport.write, "__defaults__", (1,))
    run = ended(registrar, start(registrar, directory="march"))
    assert (run["state"], run["done"], run["created"]) == ("FAILED", 1, 1)
    assert "run it again" in run["error"]
    assert Patient.objects.count() == 1
    assert ended(registrar, start(registrar, directory="march"))["created"] == 2
