"""Events of patients whom the user does not see reach insiders only."""

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from patients.models import DiseaseCategory, Patient
from patients.services import patient_discharge
from server.asgi import application
from tests.live.wire import Wire
from tests.patients.asking import id_of

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "subscription ($category: String) { onNewPatient(category: $category) { message } }"
CHANGED = """subscription ($id: ID, $category: String) {
  onPatientChanged(id: $id, category: $category) { change patient { name } }
}"""


async def test_events_of_hidden_patients_reach_insiders_only(doctor, insider, hidden):
    async with SocketOf(doctor) as outside, SocketOf(insider) as inside:
        for wire in (outside, inside):
            assert await wire.subscribe(NEW, "new") == []
            assert await wire.subscribe(CHANGED, "changed") == []
            assert await wire.subscribe(CHANGED, "by id", id=id_of(hidden)) == []
        assert await inside.subscribe(NEW, "by category", category="II") == []
        await sync_to_async(change_all)(hidden)
        told = [event async for event in until_marker(inside)]
        assert told == [
            {"onNewPatient": {"message": "New patient added: Jill"}},
            {"onNewPatient": {"message": "New patient added: Jill"}},
            *[changed("UPDATED", "Jane Roe")] * 2,
            *[changed("DISCHARGED", "Jane Roe")] * 2,
            *[changed("DELETED", "Jane Roe")] * 2,
        ]
        assert [event async for event in until_marker(outside)] == []
        assert "Jane" not in "".join(outside.frames)
        assert "Jill" not in "".join(outside.frames)


async def test_a_patient_who_moves_into_a_hidden_category_is_gone(doctor, insiders, open_patient):
    def move():
        open_patient.category = DiseaseCategory.objects.get(code="II")
        open_patient.name = "Moved"
        open_patient.save()
        make_marker()

    async with SocketOf(doctor) as outside:
        assert await outside.subscribe(CHANGED, "1") == []
        assert await outside.subscribe(CHANGED, "2", category="I") == []
        assert await outside.subscribe(CHANGED, "3", id=id_of(open_patient)) == []
        assert await outside.subscribe(NEW, "4") == []
        await sync_to_async(move)()
        assert [event async for event in until_marker(outside)] == []


@pytest.mark.parametrize("query", [NEW, CHANGED])
async def test_a_subscription_to_a_hidden_category_is_refused(doctor, hidden, query):
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(query, category="II") == ["BAD_INPUT"]
        restricted = wire.frames[-2:]
        assert await wire.subscribe(query, category="none") == ["BAD_INPUT"]
        assert wire.frames[-2:] == restricted


async def test_a_subscription_to_a_hidden_patient_looks_like_one_to_nobody(doctor, hidden):
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(CHANGED, id=id_of(hidden)) == []
        existing = wire.frames[-1]
        await wire.send(type="complete", id="1")
        assert await wire.subscribe(CHANGED, id=id_of(99_999)) == []
        assert wire.frames[-1] == existing


class SocketOf:
    """A socket of the whole application, with a session of `user`."""

    def __init__(self, user):
        self._user = user

    async def __aenter__(self):
        client = AsyncClient()
        await client.aforce_login(self._user)
        cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
        self._wire = Wire(application, headers=((b"cookie", cookie),))
        return await self._wire.__aenter__()

    async def __aexit__(self, *exc):
        await self._wire.__aexit__(*exc)


def make_marker():
    category = DiseaseCategory.objects.get(code="IX")
    Patient.objects.create(name="Marker", category=category)


def change_all(patient):
    """Write in every way to patients of the hidden category, and mark the end."""
    Patient.objects.create(name="Jill", category=patient.category)
    patient.name = "Jane Roe"
    patient.save()
    patient_discharge(patient=patient)
    Patient.objects.get(pk=patient.pk).delete()
    make_marker()


async def until_marker(wire):
    """Yield the events before the marker."""
    while (event := await wire.event()) != {
        "onNewPatient": {"message": "New patient added: Marker"}
    }:
        yield event


def changed(change, name):
    return {"onPatientChanged": {"change": change, "patient": {"name": name}}}
