"""What stands in a patient's history: each change by whatever door, with who made it."""

import json
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from live import history
from live.identity.tokens import issue_token
from live.log import append
from patients.models import Patient
from server.asgi import application
from tests.careteam.sockets import SocketOf
from tests.conftest import make_user
from tests.live.wire import Wire
from tests.patients.asking import ask, data, id_of
from tests.patients.operations import MUTATIONS

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = MUTATIONS["createPatient"][1]
UPDATE = """mutation ($id: ID!) {
  updatePatient(input: {id: $id, category: "II", reason: "Cough", name: " Ann "}) {
    errors { messages } } }"""
SAME = """mutation ($id: ID!) {
  updatePatient(input: {id: $id, category: "I", name: "Ann"}) { errors { messages } } }"""
DISCHARGE = MUTATIONS["dischargePatient"][1]
DELETE = MUTATIONS["deletePatient"][1]


@pytest.fixture
def ann(categories):
    return Patient.objects.create(name="Ann", category=categories["I"])


def noted():
    """Return what stands in all histories, in the order in which it was written."""
    return [
        (entry.user.username, entry.action_flag, entry.object_id, history.told(entry))
        for entry in LogEntry.objects.order_by("pk")
    ]


def test_each_mutation_stands_there(doctor, ann):
    data(doctor, UPDATE, id=id_of(ann))
    data(doctor, DISCHARGE, id=id_of(ann))
    data(doctor, DELETE, id=id_of(ann))
    data(doctor, CREATE)
    key, new = str(ann.pk), str(Patient.objects.get().pk)
    assert noted() == [
        ("doctor", CHANGE, key, "Changed Category and Reason. (GraphQL over HTTP)"),
        ("doctor", CHANGE, key, "Changed Status and Discharged at. (GraphQL over HTTP)"),
        ("doctor", DELETION, key, "Deleted. (GraphQL over HTTP)"),
        ("doctor", ADDITION, new, "Added. (GraphQL over HTTP)"),
    ]


def test_an_entry_has_the_patients_name_and_no_value(doctor, ann):
    data(doctor, UPDATE, id=id_of(ann))
    entry = LogEntry.objects.get()
    assert entry.object_repr == "Ann"
    assert "Cough" not in entry.change_message
    assert entry.get_edited_object() == ann


async def test_a_socket_is_another_door(doctor, categories):
    async with SocketOf(doctor) as wire:
        assert "errors" not in await wire.ask(CREATE)
    entry = await LogEntry.objects.aget()
    assert entry.user_id == doctor.pk
    assert history.told(entry) == "Added. (GraphQL over a socket)"


def test_an_access_token_is_named(doctor, categories):
    token, secret = issue_token(user=doctor, label="ward board", expires_in=timedelta(hours=1))
    body, headers = json.dumps({"query": CREATE}), {"Authorization": f"Bearer {secret}"}
    Client().post("/graphql/", body, content_type="application/json", headers=headers)
    [(_, _, _, text)] = noted()
    assert text == f"Added. (GraphQL over HTTP, access token {token.pk} ward board)"


async def test_an_access_token_is_named_over_a_socket(doctor, categories):
    token, secret = await sync_to_async(issue_token)(user=doctor, expires_in=None)
    async with Wire(application, init={"authorization": f"Bearer {secret}"}) as wire:
        await wire.ask(CREATE)
    text = history.told(await LogEntry.objects.aget())
    assert text == f"Added. (GraphQL over a socket, access token {token.pk})"


# ---- what leaves no entry


def test_what_changes_nothing_leaves_none(doctor, ann):
    data(doctor, SAME, id=id_of(ann))
    assert noted() == []


@pytest.mark.parametrize("mutation", [CREATE, UPDATE, DISCHARGE, DELETE])
def test_what_is_refused_leaves_none(doctor, nurse, ann, mutation):
    Patient.objects.update(status="discharged", discharged_at=ann.admitted_at)
    before = list(Patient.objects.values())
    bad = mutation.replace('" Ann "', '""').replace('"New"', '" "')
    data(doctor, bad, id=id_of(ann))
    ask(nurse, mutation, id=id_of(ann))
    gone = mutation is DELETE
    assert list(Patient.objects.values()) == ([] if gone else before)
    assert len(noted()) == (1 if gone else 0)


@pytest.mark.parametrize("mutation", [CREATE, UPDATE, DISCHARGE, DELETE])
def test_what_is_rolled_back_leaves_none(doctor, ann, monkeypatch, mutation):
    def fails(batch):
        raise IntegrityError

    before = list(Patient.objects.values())
    monkeypatch.setattr(append, "_append", fails)
    assert "errors" in ask(doctor, mutation, id=id_of(ann))
    assert list(Patient.objects.values()) == before
    assert noted() == []


@pytest.mark.parametrize("mutation", [CREATE, UPDATE, DISCHARGE, DELETE])
def test_a_change_whose_entry_fails_is_not_made(doctor, ann, monkeypatch, mutation):
    def fails(entries):
        raise IntegrityError

    before = list(Patient.objects.values())
    monkeypatch.setattr(history, "write", fails)
    assert "errors" in ask(doctor, mutation, id=id_of(ann))
    assert list(Patient.objects.values()) == before


# ---- what it costs


@pytest.mark.parametrize("mutation", [CREATE, UPDATE, DISCHARGE, DELETE])
async def test_it_costs_one_statement(doctor, ann, statements, mutation):
    async with SocketOf(doctor) as wire:
        await wire.ask(CREATE, "0")
        statements.clear()
        assert "errors" not in await wire.ask(mutation, id=id_of(ann))
    ours = [sql for sql in statements if "django_admin_log" in sql]
    assert [sql.split(" (")[0] for sql in ours] == ['INSERT INTO "django_admin_log"']
    # The type's key was found by the first, and is kept.
    assert not [sql for sql in statements if 'FROM "django_content_type"' in sql]


# ---- the page


def page(patient, language="en"):
    client = Client(headers={"accept-language": language})
    client.force_login(make_user(f"head-{language}", "view_patient", is_staff=True))
    response = client.get(reverse("admin:patients_patient_history", args=[patient.pk]))
    assert response.status_code == 200
    return response.text


def test_the_page_tells_who_and_by_which_door(doctor, ann, admin_client):
    data(doctor, UPDATE, id=id_of(ann))
    form = reverse("admin:patients_patient_change", args=[ann.pk])
    values = admin_client.get(form).context["adminform"].form.initial
    at = values.pop("admitted_at")
    for name in ("admitted_at", "initial-admitted_at"):
        values |= {f"{name}_0": f"{at:%Y-%m-%d}", f"{name}_1": f"{at:%H:%M:%S}"}
    values = {name: value or "" for name, value in values.items()}
    assert admin_client.post(form, {**values, "birth_date": "1980-01-01"}).status_code == 302
    text = page(ann)
    assert "doctor" in text
    assert "Changed Category and Reason. (GraphQL over HTTP)" in text
    assert "Changed Birth date. (admin)" in text


def test_the_page_speaks_french(doctor, ann):
    data(doctor, DISCHARGE, id=id_of(ann))
    text = page(ann, "fr")
    assert "Modification de Statut et Sorti le. (GraphQL par HTTP)" in text.replace("\xa0", " ")
    # What is written is the same in whatever language its writer speaks.
    with translation.override("fr"):
        made = history.changed(history.Author(doctor.pk, "x"), ann, ["birth_date"])
    assert "Birth date" in made.change_message


def test_a_page_takes_as_many_queries_for_ten_entries_as_for_one(ann, admin_client, admin_user):
    url = reverse("admin:patients_patient_history", args=[ann.pk])
    entry = history.changed(history.Author(admin_user.pk, "x"), ann, ["name"])
    history.write([entry])
    admin_client.get(url)

    def cost():
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(url)
        return len(captured)

    one = cost()
    history.write(
        history.changed(history.Author(admin_user.pk, "x"), ann, ["name"]) for _ in range(9)
    )
    assert cost() == one
