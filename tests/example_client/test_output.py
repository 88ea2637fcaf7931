import io
import json

import pytest

from example_client.output import Event, Output, event_line, patient_line, printable
from tests.example_client.samples import AT, EVENT, PATIENT


@pytest.fixture(autouse=True)
def _time_zone(monkeypatch):
    """Read times in Auckland, where no offset is zero."""
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def printed(method, *arguments, as_json):
    stdout, stderr = io.StringIO(), io.StringIO()
    output = Output(as_json=as_json, stdout=stdout, stderr=stderr)
    getattr(output, method)(*arguments)
    return stdout.getvalue(), stderr.getvalue()


def test_an_event_is_a_line_with_time_kind_category_name_and_id():
    assert event_line(EVENT).split() == [
        *("02:30:05", "NEW", "II", "Hélène", "Roux", "UGF0aWVudDox"),
    ]


def test_an_event_without_a_patient_shows_the_servers_message():
    line = event_line(Event("NEW", "New patient added", None, AT, "cursor"))
    assert line.split(maxsplit=2) == ["02:30:05", "NEW", "New patient added"]


def test_a_patient_is_a_line_without_what_is_empty():
    assert patient_line(PATIENT).split() == [
        *("UGF0aWVudDox", "2026-06-01", "02:30", "admitted", "II", "Hélène", "Roux"),
        *("1984-05-31", "E-1"),
    ]


def test_the_columns_of_all_lines_begin_at_the_same_place():
    other = {**PATIENT, "id": "UGF0aWVudDoxMDAwMDA=", "status": "DISCHARGED"}
    other["category"] = {"code": "XVIII", "name": ""}
    assert patient_line(PATIENT).index("Hélène") == patient_line(other).index("Hélène")


def test_a_name_can_neither_forge_a_line_nor_steer_a_terminal():
    patient = {**PATIENT, "name": "Eve\n14:00:00  NEW\x1b[2J\u202e\x9b"}
    for line in (event_line(Event("NEW", "", patient, AT, "cursor")), patient_line(patient)):
        assert line.isprintable()
        assert r"Eve\n14:00:00  NEW\x1b[2J\u202e\x9b" in line


def test_printable_leaves_what_can_be_read():
    assert printable("Zoë 王 O'Neil-Łuk") == "Zoë 王 O'Neil-Łuk"


def test_json_is_one_object_a_line_with_everything_in_it():
    stdout, stderr = printed("event", EVENT, as_json=True)
    assert json.loads(stdout) == {
        "receivedAt": "2026-05-31T14:30:05.000+00:00",
        "kind": "NEW",
        "message": "New patient added: Hélène Roux",
        "patient": PATIENT,
        "cursor": "cursor",
    }
    assert stdout.count("\n") == 1
    assert stderr == ""


def test_json_of_a_name_with_a_line_break_stays_on_one_line():
    stdout, _ = printed("patient", {**PATIENT, "name": "A\nB"}, as_json=True)
    assert stdout.count("\n") == 1
    assert json.loads(stdout)["name"] == "A\nB"


@pytest.mark.parametrize("as_json", [True, False])
def test_status_and_errors_are_never_on_stdout(as_json):
    assert printed("status", "watching", as_json=as_json) == ("", "watching\n")
    assert printed("error", ["a", "b\nc"], as_json=as_json) == ("", "a\nb\\nc\n")
