"""From where imports come: directories below the import root, and uploads."""

import pytest
from django.utils import timezone

from patients.imports import background, runner, services
from patients.imports.models import ImportRun, UploadedPart
from patients.models import Patient
from tests.patients.asking import ask, codes, data
from tests.patients.imports.calls import IMPORT, UPLOAD, ended, export, message, start

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_a_root_no_directory_is_imported(registrar, settings, tmp_path):
    export(tmp_path / "march")
    settings.IMPORT_ROOT = ""
    answer = ask(registrar, IMPORT, directory=str(tmp_path / "march"))
    assert codes(answer) == ["BAD_INPUT"]
    assert "IMPORT_ROOT is not set" in message(answer)


@pytest.mark.parametrize(
    "directory",
    [
        *("../outside", "march/../../outside", "{outside}", "link", "absent", "/etc"),
        *("march/patients.csv", "\0", "march/" * 1000, "loop"),
    ],
)
def test_a_directory_outside_the_root_is_one_that_does_not_exist(registrar, root, directory):
    outside = export(root.parent / "outside")
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    answer = ask(registrar, IMPORT, directory=directory.format(outside=outside))
    assert codes(answer) == ["BAD_INPUT"]
    assert message(answer) == "There is no such directory below the import root."
    assert not ImportRun.objects.exists()


def test_a_link_within_the_root_is_followed(registrar, root):
    (root / "latest").symlink_to(root / "march")
    assert ended(registrar, start(registrar, directory="latest"))["created"] == 3


@pytest.mark.parametrize("name", ["patients.csv", "encounters.csv", "table.csv"])
@pytest.mark.parametrize("what", ["missing", "a link out of the root", "a directory"])
def test_a_file_that_cannot_be_had_is_named(registrar, root, name, what):
    folder = root / "march"
    outside = export(root.parent / "outside")
    (outside / "table.csv").write_text("snomed_code,icd10_chapter\n")
    (folder / name).unlink(missing_ok=True)
    if what == "a link out of the root":
        (folder / name).symlink_to(outside / name)
    elif what == "a directory":
        (folder / name).mkdir()
    if name != "table.csv":
        (folder / "table.csv").write_text("snomed_code,icd10_chapter\n")
    answer = ask(registrar, IMPORT, directory="march", chapters="table.csv")
    assert codes(answer) == ["BAD_INPUT"]
    assert message(answer) == f"There is no file {name!r} in this directory."


def test_a_link_that_comes_to_lead_outside_is_noticed(registrar, root, monkeypatch):
    monkeypatch.setattr(background, "hand_over", lambda run: None)
    start(registrar, directory="march")
    (root / "march").rename(root.parent / "moved")
    (root / "march").symlink_to(root.parent / "moved")
    runner.perform(ImportRun.objects.get().pk)
    assert ImportRun.objects.get().error == "There is no such directory below the import root."
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "Give either a directory or an upload."),
        ({"directory": "march", "upload": "x"}, "Give either a directory or an upload."),
        ({"directory": ""}, "The directory is blank."),
        ({"upload": "x"}, "The id is not that of an import."),
        ({"upload": "x", "chapters": "table.csv"}, "An upload's table of chapters"),
        ({"directory": "\ud800"}, "directory has half a surrogate pair"),
    ],
)
def test_what_cannot_be_meant(registrar, root, variables, expected):
    answer = ask(registrar, IMPORT, **variables)
    assert codes(answer) == ["BAD_INPUT"]
    assert message(answer).startswith(expected)


def test_an_upload_needs_both_files(registrar):
    upload = data(registrar, UPLOAD, file="PATIENTS", content="x")["uploadImportFile"]["upload"]
    answer = ask(registrar, IMPORT, upload=upload)
    assert message(answer) == "The file 'encounters.csv' was not uploaded."
    assert ImportRun.objects.get().state == ImportRun.State.UPLOADING


def test_an_upload_is_imported_once(registrar, monkeypatch):
    monkeypatch.setattr(background, "hand_over", lambda run: None)
    upload = None
    for file in ("PATIENTS", "ENCOUNTERS"):
        answer = data(registrar, UPLOAD, file=file, content="x", upload=upload)
        upload = answer["uploadImportFile"]["upload"]
    start(registrar, upload=upload)
    again = ask(registrar, IMPORT, upload=upload)
    more = ask(registrar, UPLOAD, file="PATIENTS", content="x", upload=upload)
    for answer in (again, more):
        assert message(answer) == "This upload was started as an import already."


def test_an_upload_has_a_bound(registrar, settings):
    settings.IMPORT_MAX_UPLOAD_BYTES = 10
    answer = data(registrar, UPLOAD, file="PATIENTS", content="12345é")
    upload = answer["uploadImportFile"]["upload"]
    data(registrar, UPLOAD, file="ENCOUNTERS", content="123", upload=upload)
    refused = ask(registrar, UPLOAD, file="PATIENTS", content="x", upload=upload)
    assert message(refused).startswith("The upload is larger than 10 bytes")
    assert UploadedPart.objects.count() == 2


def test_a_user_has_so_many_imports_at_once(registrar, root, monkeypatch):
    monkeypatch.setattr(background, "hand_over", lambda run: None)
    for _ in range(services.MOST_UNFINISHED):
        start(registrar, directory="march")
    answer = ask(registrar, IMPORT, directory="march")
    assert message(answer) == "10 of your imports have not finished yet."
    assert codes(ask(registrar, UPLOAD, file="PATIENTS", content="x")) == ["BAD_INPUT"]


def test_what_was_uploaded_and_forgotten_is_deleted_after_a_day(registrar):
    data(registrar, UPLOAD, file="PATIENTS", content="x")
    old = ImportRun.objects.create(started_by=registrar)  # its server was stopped
    old.parts.create(file="patients.csv", content=b"x")
    ImportRun.objects.update(alive_at=timezone.now() - services.UPLOAD_LIFETIME * 1.01)
    data(registrar, UPLOAD, file="PATIENTS", content="x")
    assert UploadedPart.objects.count() == 1
    assert ImportRun.objects.filter(state=ImportRun.State.UPLOADING).count() == 1
