"""What stands in patients' histories after an import: who imported them, if anybody is known."""

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import IntegrityError

from live import history
from patients.models import Patient
from tests.patients.importers.exports import encounter, patient, write_export
from tests.patients.importing import Run

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = ["ann", "ben", "cid"]


def export(folder, **changes):
    """Write an export of three patients; `changes` are Ben's encounter's."""
    rows = [patient(name) for name in PEOPLE]
    stays = [encounter(name, **(changes if name == "ben" else {})) for name in PEOPLE]
    return write_export(folder, rows, stays)


def noted():
    return [
        (entry.user.username, entry.action_flag, entry.object_id, history.told(entry))
        for entry in LogEntry.objects.order_by("pk")
    ]


def keys():
    return [str(pk) for pk in Patient.objects.order_by("pk").values_list("pk", flat=True)]


def test_a_command_with_a_user_is_that_users(doctor, tmp_path):
    assert Run(export(tmp_path), "--user", "doctor").error is None
    text = "Added. (import from the command line)"
    assert noted() == [("doctor", ADDITION, key, text) for key in keys()]


def test_each_patient_has_the_fields_that_changed_in_it(doctor, tmp_path):
    Run(export(tmp_path))
    export(tmp_path, REASONDESCRIPTION="Sepsis", STOP="")
    Run(tmp_path, "--user", "doctor")
    [(_, flag, key, text)] = noted()
    assert (flag, key) == (CHANGE, keys()[1])
    fields = "Reason, Status and Discharged at"
    assert text == f"Changed {fields}. (import from the command line)"


def test_what_is_imported_again_is_not_noted_again(doctor, tmp_path):
    for _ in range(2):
        Run(export(tmp_path), "--user", "doctor")
    assert len(noted()) == len(PEOPLE)


def test_a_command_without_a_user_leaves_no_entry(tmp_path):
    assert Run(export(tmp_path)).error is None
    assert Patient.objects.count() == len(PEOPLE)
    assert noted() == []


def test_an_unknown_user_is_named_and_nothing_is_written(tmp_path):
    assert Run(export(tmp_path), "--user", "nobody").error == "There is no user 'nobody'."
    assert not Patient.objects.exists()


def test_a_batch_that_rolls_back_leaves_none(doctor, tmp_path, monkeypatch):
    def fails(entries):
        made.extend(entries)
        raise IntegrityError

    made: list[LogEntry] = []
    monkeypatch.setattr(history, "write", fails)
    assert "The database refused" in Run(export(tmp_path), "--user", "doctor").error
    assert len(made) == len(PEOPLE)
    assert not Patient.objects.exists()


def test_a_batch_costs_one_statement(doctor, tmp_path, statements):
    Run(export(tmp_path), "--user", "doctor")
    inserts = [sql for sql in statements if "django_admin_log" in sql]
    assert len(inserts) == 1
