"""A replay shows nothing of a patient who is hidden or gone by now, whatever the cursor."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connection, transaction
from django.db.models import QuerySet

from live.log import announcer, store
from live.log.cursor import Cursor, encode
from live.log.records import pack, unpack
from live.models import LoggedEvent
from patients.models import DiseaseCategory, Patient
from tests.patients.restricted.test_subscriptions import SocketOf

pytestmark = pytest.mark.django_db(transaction=True)

NEW = """subscription ($category: String, $after: String) {
  onNewPatient(category: $category, after: $after) { message patient { name reason } }
}"""
CHANGED = """subscription ($after: String) {
  onPatientChanged(after: $after) { change message patient { id name reason birthDate } }
}"""
SECRET = "Secret Name"


@pytest.fixture
def patient(categories):
    """A patient of an open category."""
    values = {"name": SECRET, "reason": "Secret reason", "birth_date": "1984-05-31"}
    return Patient.objects.create(category=categories["I"], **values)


def move(patient, code):
    patient.category = DiseaseCategory.objects.get(code=code)
    patient.save()


def bulk_move(patient):
    Patient.objects.filter(pk=patient.pk).update(category=DiseaseCategory.objects.get(code="II"))


def by_hand(patient, code):
    category = DiseaseCategory.objects.get(code=code)
    silent = QuerySet(Patient).filter(pk=patient.pk)
    silent.update(category=category)


def mark_the_end(code="IX"):
    marker = Patient.objects.create(name="Marker", category=DiseaseCategory.objects.get(code=code))
    marker.reason = "The end"
    marker.save()


async def names_until_marker(wire):
    """Return the names in the events before the marker's."""
    names = []
    while True:
        (event,) = (await wire.event()).values()
        if event["patient"]["name"] == "Marker":
            return names
        names.append(event["patient"]["name"])


GOES = {
    "moved by a save": lambda patient: move(patient, "II"),
    "moved by an update": bulk_move,
    "deleted": lambda patient: patient.delete(),
    "deleted by a queryset": lambda patient: Patient.objects.filter(pk=patient.pk).delete(),
    # No signal tells of it, and nothing is taken out of the log.
    "deleted by hand": lambda patient: Patient.objects.filter(pk=patient.pk)._raw_delete("default"),
    "moved by hand": lambda patient: by_hand(patient, "II"),
}


async def beginning():
    end = await sync_to_async(store.end)()
    return encode(Cursor(end.epoch, 0))


@pytest.mark.parametrize("goes", GOES)
@pytest.mark.parametrize("query", [NEW, CHANGED])
async def test_a_cursor_from_before_shows_nothing_of_it(doctor, insiders, patient, goes, query):
    await sync_to_async(GOES[goes])(patient)
    await sync_to_async(mark_the_end)()
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(query, after=await beginning()) == []
        await names_until_marker(wire)
        for secret in (SECRET, "Secret reason", "1984-05-31"):
            assert secret not in "".join(wire.frames)


async def test_who_is_away_still_hears_that_a_patient_was_deleted(doctor, patient):
    after = await sync_to_async(store.position)()
    await sync_to_async(patient.delete)()
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(CHANGED, after=after) == []
        told = (await wire.event())["onPatientChanged"]
        assert (told["change"], told["patient"]["name"]) == ("DELETED", "")
        assert told["patient"]["birthDate"] is None


async def test_who_is_away_loses_no_patient_who_moves_between_open_categories(doctor, patient):
    def go():
        move(patient, "III")
        patient.name = "As It Is Now"
        patient.save()
        mark_the_end("I")

    await sync_to_async(go)()
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(NEW, "all", after=await beginning()) == []
        told = (await wire.event())["onNewPatient"]
        assert told["patient"]["name"] == "As It Is Now"
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(NEW, "I", category="I", after=await beginning()) == []
        assert await names_until_marker(wire) == []


@pytest.mark.parametrize("goes", ["moved by a save", "moved by an update", "deleted"])
def test_the_log_has_no_payload_of_it_any_more(patient, insiders, goes):
    other = Patient.objects.create(name="Other", category=patient.category)
    about, last = f"patient:{patient.pk}", store.end().number
    GOES[goes](patient)
    kept = [unpack(packed) for _, packed in store.read(1, last)]
    assert len(kept) == last
    assert [record.body for record in kept if record.subject == about] == [b""]
    assert [b"Other" in r.body for r in kept if r.subject == f"patient:{other.pk}"] == [True]


def test_what_rolls_back_takes_nothing_out(patient):
    before = store.read(1, 10)
    with transaction.atomic():
        patient.delete()
        transaction.set_rollback(True)
    assert store.read(1, 10) == before


async def test_events_that_a_process_has_in_memory_are_forgotten_too(doctor, insiders, patient):
    after = await beginning()
    async with SocketOf(doctor) as wire:  # it keeps the hub following
        assert await wire.subscribe(NEW, "1", after=after) == []
        assert (await wire.event())["onNewPatient"]["patient"]["name"] == SECRET
        seen = len(wire.frames)
        await sync_to_async(move)(patient, "II")
        await sync_to_async(mark_the_end)()
        await names_until_marker(wire)
        assert await wire.subscribe(NEW, "2", after=after) == []
        await sync_to_async(mark_the_end)()
        await names_until_marker(wire)
        assert SECRET not in "".join(wire.frames[seen:])


async def test_who_listens_loses_no_patient_who_moved_before_the_process_knew(
    doctor, categories, settings, monkeypatch
):
    settings.LIVE = {"POLL_EVERY": 0.05}
    # No message to the hub gets through: it reads the log, later.
    monkeypatch.setattr(announcer, "announcer", lambda: SimpleNamespace(put=lambda message: None))

    def admit_and_move():
        with transaction.atomic():
            patient = Patient.objects.create(name="Admitted", category=categories["I"])
        move(patient, "III")
        mark_the_end()

    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(NEW) == []
        await sync_to_async(transaction.atomic(admit_and_move))()
        assert await names_until_marker(wire) == ["Admitted"]


def test_events_of_before_are_found_by_their_patients_after_the_migration(patient):
    migration = import_module("patients.migrations.0009_subjects_of_events")
    before = LoggedEvent.objects.get()
    record = unpack(bytes(before.packed))
    old = record._replace(groups=record.groups[:-1])
    LoggedEvent.objects.update(packed=pack(old), subject=None)
    migration.find(apps, SimpleNamespace(connection=connection))
    after = LoggedEvent.objects.get()
    assert (after.subject, after.packed) == (before.subject, before.packed)
