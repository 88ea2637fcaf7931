"""The admin's actions discharge and undo: they ask, do what was asked about, and tell it once."""

import datetime
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from itertools import chain

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from live.history import told
from patients import discharging, services
from patients.models import Patient
from tests.patients.watching import CHANGED, Watch

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:patients_patient_changelist")
UNDO = reverse("admin:patients_undo_discharge")
LAST = "Last One"
HOUR = datetime.timedelta(hours=1)
CHANGED_TO = "subscription { onPatientChanged { change patient { name status dischargedAt } } }"


@pytest.fixture
def patients(categories):
    """Ann and Ben are in the hospital, Cid is discharged."""
    now = timezone.now()
    names = ["Ann", "Ben", "Cid"]
    people = [
        Patient(name=name, category=categories["I"], admitted_at=now - HOUR) for name in names
    ]
    people[2].status, people[2].discharged_at = "discharged", now
    return Patient.objects.bulk_create(people)


@pytest.fixture
def doctors(client, doctor):
    """The browser of staff who may do everything to patients."""
    doctor.is_staff = True
    doctor.save()
    client.force_login(doctor)
    return client


def choose(client, action, patients, **data):
    """Choose an action for `patients`; return the response."""
    selected = [patient.pk for patient in patients]
    return client.post(LIST, {"action": action, "_selected_action": selected, **data})


def hidden_fields(response):
    """Return what the page that asks would send, by field."""
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', response.text):
        fields.setdefault(name, []).append(unescape(value))
    return fields


def answer_yes(client, response):
    """Send the form of the page that asks; return what is said then."""
    assert response.status_code == 200, response
    (target,) = re.findall(r'<form method="post" action="([^"]*)"', response.text)
    return said(client.post(unescape(target), hidden_fields(response)))


def said(response):
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]


def discharge(client, patients):
    return answer_yes(client, choose(client, "discharge", patients))


def link_in(message):
    return unescape(re.search(r'href="([^"]*)"', message)[1])


def states():
    return {p.name: (p.status, p.discharged_at) for p in Patient.objects.all()}


IN = ("admitted", None)


# ---- asking


def test_it_asks_first_who_and_how_many(doctors, patients):
    before = states()
    response = choose(doctors, "discharge", patients)
    text = response.text
    assert "Discharge 2 patients, now?" in text
    assert "Ann (I Infections)" in text
    assert "Ben (I Infections)" in text
    assert "Cid" not in text
    assert "1 is left out: already discharged." in text
    assert 'value="Discharge 2 patients"' in text
    assert states() == before


def test_where_there_is_nobody_to_discharge_it_does_not_ask(doctors, patients):
    response = choose(doctors, "discharge", patients[2:])
    assert said(response) == ["1 is left out: already discharged."]


def test_too_many_are_refused(doctors, patients, monkeypatch):
    monkeypatch.setattr(discharging, "MOST_AT_ONCE", 2)
    before = states()
    everybody = choose(doctors, "discharge", patients[:1], select_across="1")
    assert said(everybody) == ["Nothing was changed: select 2 patients at most."]
    assert choose(doctors, "discharge", patients[:2]).status_code == 200
    assert states() == before


def test_the_largest_page_is_taken_as_it_was_shown(doctors, categories):
    most = range(discharging.MOST_AT_ONCE)
    many = Patient.objects.bulk_create(
        Patient(name=f"P{n}", category=categories["I"]) for n in most
    )
    done, *rest = discharge(doctors, many)
    assert (done.split(" ")[0], rest) == (str(len(many)), [])
    assert answer_yes(doctors, doctors.get(link_in(done))) == [
        f"{len(many)} patients are admitted again."
    ]


def test_the_answer_needs_the_csrf_token(doctor, doctors, patients):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = doctors.cookies
    data = hidden_fields(choose(doctors, "discharge", patients))
    assert data.pop("csrfmiddlewaretoken")
    assert strict.post(LIST, data).status_code == 403
    assert states()["Ann"] == IN


# ---- discharging


def test_it_discharges_those_in_the_hospital(doctors, patients):
    left = patients[2].discharged_at
    (done,) = discharge(doctors, patients)
    assert done.startswith("2 patients were discharged. <a href=")
    after = states()
    status, at = after["Ann"]
    assert status == "discharged"
    assert at > patients[0].admitted_at
    assert after["Ben"] == after["Ann"]
    assert after["Cid"] == ("discharged", left)


def test_who_was_discharged_or_deleted_meanwhile_is_counted_and_left_alone(doctors, patients):
    filtered = f"{LIST}?status__exact=admitted"
    selected = {"action": "discharge", "_selected_action": [p.pk for p in patients[:2]]}
    page = doctors.post(filtered, selected)
    earlier = patients[0].admitted_at + HOUR / 2
    services.patient_discharge(patient=patients[0], at=earlier)
    patients[1].delete()
    assert answer_yes(doctors, page) == [
        "1 is left out: already discharged.",
        "1 was not found.",
    ]
    assert states()["Ann"] == ("discharged", earlier)


def test_it_says_what_it_could_not_do(doctors, patients):
    Patient.objects.filter(name="Ann").update(admitted_at=timezone.now() + HOUR)
    text = "1 could not be discharged: admitted in the future."
    assert discharge(doctors, patients[:1]) == [text]
    assert states()["Ann"] == IN


def test_both_are_in_the_history(doctors, doctor, patients):
    (done,) = discharge(doctors, patients[:2])
    answer_yes(doctors, doctors.get(link_in(done)))
    entries = LogEntry.objects.order_by("pk")
    assert [(e.user, e.object_repr) for e in entries] == [
        (doctor, name) for name in ("Ann", "Ben") * 2
    ]
    assert {told(entry) for entry in entries} == {"Changed Status and Discharged at. (admin)"}


# ---- undoing


def test_a_discharge_is_undone_by_the_link_in_its_message(doctors, patients):
    (done,) = discharge(doctors, patients)
    page = doctors.get(link_in(done))
    assert "Undo the discharge of 2 patients?" in page.text
    assert states()["Ann"] != IN  # it asks first
    assert answer_yes(doctors, page) == ["2 patients are admitted again."]
    after = states()
    assert after["Ann"] == after["Ben"] == IN
    assert after["Cid"] == ("discharged", patients[2].discharged_at)


def test_a_discharge_is_undone_by_the_action(doctors, patients):
    page = choose(doctors, "undo_discharge", patients)
    assert "Cid" in page.text
    assert "2 are left out: no longer discharged, or at another time." in page.text
    assert answer_yes(doctors, page) == ["1 patient is admitted again."]
    assert set(states().values()) == {IN}


def test_who_was_readmitted_meanwhile_is_not_touched(doctors, patients):
    (done,) = discharge(doctors, patients[:2])
    page = doctors.get(link_in(done))
    Patient.objects.filter(name="Ann").update(status="admitted", discharged_at=None)
    Patient.objects.filter(name="Ben").update(discharged_at=timezone.now())
    before = states()
    text = "2 are left out: no longer discharged, or at another time."
    assert answer_yes(doctors, page) == [text]
    # The first is there still, since no page has shown it.
    assert said(doctors.get(link_in(done))) == [text, text]
    assert states() == before


@pytest.mark.parametrize(
    "query",
    [
        "",
        "of=1",
        "at=2026-01-31T00:00:00%2B00:00",
        "of=x&at=y",
        "of=1&at=2026-01-31T00:00:00",
        "of=1&at=0001-01-01T00:00:00%2B14:00",
    ],
)
def test_an_address_that_names_no_discharge_is_none(doctors, patients, query):
    assert doctors.get(f"{UNDO}?{query}").status_code == 404


@pytest.mark.parametrize("sent", ["x", "1", "@", "1@", "1@soon", "²@2026-01-31T00:00:00+00:00"])
def test_an_answer_that_names_no_discharge_changes_nothing(doctors, patients, sent):
    before = states()
    choose(doctors, "undo_discharge", patients, post="yes", discharge=sent)
    assert states() == before


# ---- who may


def test_who_may_not_change_patients_does_neither(client, nurse, patients):
    nurse.is_staff = True
    nurse.save()
    client.force_login(nurse)
    before = states()
    assert "discharge" not in re.findall(r'option value="(\w*)"', client.get(LIST).text)
    at = patients[2].discharged_at.isoformat()
    choose(client, "discharge", patients, post="yes")
    choose(client, "undo_discharge", patients, post="yes", discharge=f"{patients[2].pk}@{at}")
    assert client.get(UNDO, {"of": patients[2].pk, "at": at}).status_code == 403
    assert states() == before


def test_who_is_not_logged_in_is_asked_to(client, patients):
    response = client.get(UNDO)
    assert response.url.startswith("/admin/login/")


# ---- what is told


def test_each_is_told_once(doctors, doctor, patients):
    with Watch(doctor, CHANGED_TO) as watch:
        (done,) = discharge(doctors, patients)
        answer_yes(doctors, doctors.get(link_in(done)))
        Patient.objects.filter(name="Cid").update(name=LAST)
        events = [(e["change"], *e["patient"].values()) for e in watch.until(LAST)]
    assert [event[:3] for event in events[:2]] == [
        ("DISCHARGED", "Ann", "DISCHARGED"),
        ("DISCHARGED", "Ben", "DISCHARGED"),
    ]
    assert events[2:] == [
        ("UPDATED", "Ann", "ADMITTED", None),
        ("UPDATED", "Ben", "ADMITTED", None),
    ]


# ---- at the same moment

AT_ONCE = 4


def all_at_once(work):
    """Run `work` in threads that begin together; return what each returned."""
    together = threading.Barrier(AT_ONCE)

    def run(_):
        try:
            together.wait(60)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(run, range(AT_ONCE)))


def test_of_those_who_discharge_at_once_one_does(patients, doctor):
    with Watch(doctor, CHANGED) as watch:
        done = all_at_once(
            lambda: services.patients_discharge(
                patients=Patient.objects.filter(name="Ann"), at=timezone.now()
            )
        )
        Patient.objects.filter(name="Cid").update(name=LAST)
        assert [event["change"] for event in watch.until(LAST)] == ["DISCHARGED"]
    assert [*chain(*done)] == [patients[0]]


def test_of_those_who_undo_at_once_one_does(patients, doctor):
    cid = patients[2]
    meant = {cid.pk: cid.discharged_at}
    with Watch(doctor, CHANGED) as watch:
        done = all_at_once(
            lambda: services.discharges_undo(patients=Patient.objects.all(), discharged_at=meant)
        )
        Patient.objects.filter(name="Ann").update(name=LAST)
        assert [event["change"] for event in watch.until(LAST)] == ["UPDATED"]
    assert [*chain(*done)] == [cid]
    assert states()["Cid"] == IN
