"""Imports in the background, in the embedded default: who may, from where, and what is told."""

import threading
import time

import pytest
from asgiref.sync import sync_to_async as to_thread
from django.contrib.auth.models import AnonymousUser, Group
from django.utils import timezone

from patients.importers.store import PatientStore
from patients.imports import background, runner, services
from patients.imports.models import ImportRun, UploadedPart
from patients.imports.progress import STOPPED, progress_of
from patients.models import DiseaseCategory, Patient
from patients.schema.import_progress import import_id
from server.asgi import Consumer
from tests.conftest import make_user
from tests.live.wire import Wire
from tests.patients.asking import ask, codes, data
from tests.patients.importers.exports import encounter, patient, write_export
from tests.patients.watching import NEW, Watch

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 30
IMPORT = """
  mutation ($directory: String, $upload: ID, $chapters: String, $skipBad: Boolean) {
    importPatients(directory: $directory, upload: $upload, chapters: $chapters, skipBad: $skipBad) {
      id importRun { id state finished }
    }
  }
"""
UPLOAD = """
  mutation ($file: ImportFile!, $content: String!, $upload: ID) {
    uploadImportFile(file: $file, content: $content, upload: $upload) { upload }
  }
"""
RUN = """
  query ($id: ID!) {
    importRun(id: $id) {
      id state done total rejected created updated unchanged finished error
      startedAt finishedAt rejects { file line reason }
    }
  }
"""
PROGRESS = 'subscription { onImportProgress(id: "%s") { done } }'
FORBIDDEN = ["FORBIDDEN"]


@pytest.fixture
def registrar(db):
    """Staff who may import."""
    return make_user("registrar", "add_patient", "change_patient", is_staff=True)


@pytest.fixture
def root(tmp_path, settings):
    """The import root, with an export of three patients in `march`."""
    settings.IMPORT_ROOT = str(tmp_path / "imports")
    (tmp_path / "imports").mkdir()
    export(tmp_path / "imports" / "march")
    return tmp_path / "imports"


def export(folder):
    return write_export(
        folder,
        [patient("ann"), patient("ben"), patient("cid")],
        [encounter("ann", REASONCODE="7"), encounter("ben", STOP=""), encounter("cid")],
    )


def spoil(folder):
    path = folder / "patients.csv"
    path.write_text(path.read_text().replace("1970-01-31", "31 January", 1))


def start(user, **variables):
    """Start an import; return its id."""
    return data(user, IMPORT, **variables)["importPatients"]["id"]


def ended(user, run):
    """Return an import when it has ended."""
    for thread in threading.enumerate():
        if thread.name == "import":
            thread.join(SECONDS)
    found = data(user, RUN, id=run)["importRun"]
    assert found["finished"], found
    return found


def message(response):
    (error,) = response["errors"]
    return error["message"]


# ---- what it does


def test_a_directory_is_imported_and_told_of(registrar, nurse, root):
    with Watch(nurse, NEW) as watch:
        run = ended(registrar, start(registrar, directory="march"))
        Patient.objects.create(name="Last", category=DiseaseCategory.objects.get(code="I"))
        assert watch.names_until("Last") == ["Ann Ann", "Ann Ben", "Ann Cid"]
    numbers = {name: run[name] for name in ("done", "total", "rejected", "created")}
    assert numbers == {"done": 3, "total": 3, "rejected": 0, "created": 3}
    assert (run["state"], run["error"], run["rejects"]) == ("FINISHED", None, [])


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


# ---- who may


def people():
    rights = ("add_patient", "change_patient")
    return {
        "anonymous": (None, ["UNAUTHENTICATED"]),
        "not staff": (make_user("clerk", *rights), FORBIDDEN),
        "may not add": (make_user("changer", "change_patient", is_staff=True), FORBIDDEN),
        "may not change": (make_user("adder", "add_patient", is_staff=True), FORBIDDEN),
    }


@pytest.mark.parametrize("who", ["anonymous", "not staff", "may not add", "may not change"])
async def test_others_may_do_nothing(db, registrar, root, who):
    user, expected = (await to_thread(people)())[who]
    run = import_id((await to_thread(ImportRun.objects.create)(started_by=registrar)).pk)
    for query, variables in (
        (IMPORT, {"directory": "march"}),
        (UPLOAD, {"file": "PATIENTS", "content": "x"}),
        (RUN, {"id": run}),
    ):
        assert codes(await to_thread(ask)(user, query, **variables)) == expected
    async with Wire(Consumer.as_asgi(), user or AnonymousUser()) as wire:
        assert await wire.subscribe(PROGRESS % run) == expected
    assert await to_thread(ImportRun.objects.count)() == 1


async def test_anothers_import_is_one_that_does_not_exist(db, registrar):
    other = await to_thread(make_user)("other", is_superuser=True, is_staff=True)
    run = await to_thread(ImportRun.objects.create)(started_by=registrar)
    answers = []
    async with Wire(Consumer.as_asgi(), other) as wire:
        for number, pk in enumerate((run.pk, run.pk + 1, 10**30)):
            answers.append(await to_thread(ask)(other, RUN, id=import_id(pk)))
            assert await wire.subscribe(PROGRESS % import_id(pk), str(number)) == ["NOT_FOUND"]
    assert answers[0] == answers[1] == answers[2]
    assert codes(answers[0]) == ["NOT_FOUND"]
    upload = {"file": "PATIENTS", "content": "x", "upload": import_id(run.pk)}
    assert codes(await to_thread(ask)(other, UPLOAD, **upload)) == ["NOT_FOUND"]
    assert codes(await to_thread(ask)(other, IMPORT, upload=import_id(run.pk))) == ["NOT_FOUND"]


def test_who_does_not_see_a_category_may_not_write_to_it(registrar, root):
    group = Group.objects.create(name="psychiatry")
    DiseaseCategory.objects.get(code="V").viewers.add(group)
    assert codes(ask(registrar, IMPORT, directory="march")) == FORBIDDEN
    registrar.groups.add(group)
    assert ended(registrar, start(registrar, directory="march"))["created"] == 3


def test_a_right_that_was_taken_away_while_it_waited_stops_it(registrar, root, monkeypatch):
    monkeypatch.setattr(background, "hand_over", lambda run: None)
    run = start(registrar, directory="march")
    registrar.user_permissions.clear()
    runner.perform(ImportRun.objects.get().pk)
    assert ImportRun.objects.get().error == "You do not have permission to do this."
    assert codes(ask(registrar, RUN, id=run)) == FORBIDDEN
    assert not Patient.objects.exists()


# ---- from where


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


# ---- the server is stopped, workers die


def silent(**fields):
    long_ago = timezone.now() - timezone.timedelta(hours=1)
    return ImportRun.objects.create(**{"state": "writing", "alive_at": long_ago, **fields})


@pytest.mark.parametrize("state", ["waiting", "checking", "writing"])
def test_an_import_that_ended_with_its_server_has_failed(registrar, state):
    run = silent(started_by=registrar, state=state, attempt=1)
    found = data(registrar, RUN, id=import_id(run.pk))["importRun"]
    assert (found["state"], found["finished"], found["error"]) == ("FAILED", True, STOPPED)


def test_with_workers_it_is_interrupted_until_one_takes_it_up(registrar, settings):
    settings.CELERY_TASK_ALWAYS_EAGER = False
    run = silent(started_by=registrar, attempt=1)
    progress = progress_of(run, timezone.now())
    assert (progress["state"], progress["finished"]) == ("interrupted", False)
    waiting = silent(started_by=registrar, state="waiting")
    assert progress_of(waiting, timezone.now())["state"] == "waiting"


def test_a_second_attempt_begins_anew_and_finishes(registrar, root):
    run = silent(started_by=registrar, directory="march", attempt=1, done=2, total=3, rejected=9)
    runner.perform(run.pk)
    run.refresh_from_db()
    assert (run.state, run.done, run.total, run.rejected) == ("finished", 3, 3, 0)


def test_an_import_in_other_hands_is_left_there(registrar, root):
    run = silent(started_by=registrar, directory="march", attempt=1, alive_at=timezone.now())
    with pytest.raises(runner.InOtherHands):
        runner.perform(run.pk)
    assert not Patient.objects.exists()


def test_who_was_taken_for_dead_stops(registrar, root, monkeypatch):
    run = ImportRun.objects.create(started_by=registrar, directory="march")
    original = runner.PatientImport

    def superseded(*arguments):
        ImportRun.objects.update(attempt=2)
        return original(*arguments)

    monkeypatch.setattr(runner, "PatientImport", superseded)
    runner.perform(run.pk)
    run.refresh_from_db()
    assert (run.attempt, run.state) == (2, "checking")
    assert not Patient.objects.exists()


def test_workers_that_die_of_it_do_not_die_for_ever(registrar, root):
    run = silent(started_by=registrar, directory="march", attempt=runner.MOST_ATTEMPTS)
    runner.perform(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert run.error.startswith("Its worker died 3 times")


@pytest.mark.parametrize("finished_at", [None, timezone.now()])
def test_an_import_that_is_done_or_gone_is_not_run(registrar, root, finished_at):
    run = ImportRun.objects.create(
        started_by=registrar, directory="march", finished_at=finished_at, state="finished"
    )
    if finished_at is None:
        run.delete()
    runner.perform(run.pk or 1)
    assert not Patient.objects.exists()


# ---- the admin


def test_the_admin_shows_imports_and_changes_none(admin_client, registrar):
    run = silent(started_by=registrar, directory="march", attempt=1)
    page = "/admin/patients/importrun/"
    french = admin_client.get(page, headers={"Accept-Language": "fr"}).content.decode()
    assert "march" in french
    assert "échoué" in french, "as clients are shown it: its server is gone"
    assert admin_client.get(f"{page}{run.pk}/change/").status_code == 200
    assert admin_client.post(f"{page}{run.pk}/change/", {"directory": "x"}).status_code == 403
    assert admin_client.get(f"{page}add/").status_code == 403
    run.refresh_from_db()
    assert run.directory == "march"


def test_an_import_that_is_deleted_in_the_admin_stops(admin_client, registrar, root, monkeypatch):
    run = ImportRun.objects.create(started_by=registrar, directory="march")
    original = runner.PatientImport

    def deleted(*arguments):
        answer = admin_client.post(f"/admin/patients/importrun/{run.pk}/delete/", {"post": "yes"})
        assert answer.status_code == 302
        return original(*arguments)

    monkeypatch.setattr(runner, "PatientImport", deleted)
    runner.perform(run.pk)
    assert not Patient.objects.exists()
    assert not ImportRun.objects.exists()
