"""Imports whose server was stopped or whose worker died."""

import pytest
from django.utils import timezone

from patients.imports import runner
from patients.imports.models import ImportRun
from patients.imports.progress import STOPPED, progress_of
from patients.models import Patient
from patients.schema.import_progress import import_id
from tests.patients.asking import data
from tests.patients.imports.calls import RUN, silent

pytestmark = pytest.mark.django_db(transaction=True)


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
