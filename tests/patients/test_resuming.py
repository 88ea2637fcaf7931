"""Who comes back to patients with a cursor: nobody is left out, and today's rights decide."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group

from patients.models import Patient
from server.asgi import Consumer
from tests.live.stage import settled
from tests.live.wire import Wire

NEW = """subscription ($after: String) {
  onNewPatient(after: $after) { cursor patient { name } }
}"""
PAGE = "{ patients(first: 100) { position edges { node { name } } } }"
LAST = "Last"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _settled():
    yield
    await settled()


async def register(category, *names):
    for name in names:
        await Patient.objects.acreate(name=name, category=category)


async def names_until_last(wire):
    names = []
    while names[-1:] != [LAST]:
        names.append((await wire.event())["onNewPatient"]["patient"]["name"])
    return names


async def snapshot(wire):
    """Return the names of a page, and its position."""
    page = (await wire.ask(PAGE))["data"]["patients"]
    return [edge["node"]["name"] for edge in page["edges"]], page["position"]


async def test_nobody_falls_between_a_page_and_what_comes_after_its_position(nurse, categories):
    names = [f"Patient {number}" for number in range(60)]
    writing = asyncio.create_task(register(categories["I"], *names, LAST))
    for _ in range(5):
        async with Wire(Consumer.as_asgi(), nurse) as wire:
            listed, position = await snapshot(wire)
            assert await wire.subscribe(NEW, after=position) == []
            if LAST in listed:
                break
            told = await names_until_last(wire)
        assert set(listed) | set(told) == {*names, LAST}
        assert told == [*names, LAST][-len(told) :]
    await writing


async def test_who_comes_back_sees_what_today_s_rights_show(nurse, categories):
    async with Wire(Consumer.as_asgi(), nurse) as wire:
        _, start = await snapshot(wire)
    await register(categories["I"], "Open")
    await register(categories["II"], "Closed since")
    insiders = await Group.objects.acreate(name="insiders")
    await sync_to_async(categories["II"].viewers.add)(insiders)
    await register(categories["I"], LAST)
    async with Wire(Consumer.as_asgi(), nurse) as wire:
        assert await wire.subscribe(NEW, after=start) == []
        assert await names_until_last(wire) == ["Open", LAST]
        assert not any("Closed since" in frame for frame in wire.frames)
    await sync_to_async(nurse.groups.add)(insiders)
    async with Wire(Consumer.as_asgi(), nurse) as wire:
        assert await wire.subscribe(NEW, after=start) == []
        assert await names_until_last(wire) == ["Open", "Closed since", LAST]


async def test_who_may_see_no_patient_any_more_comes_back_in_vain(nurse, categories):
    async with Wire(Consumer.as_asgi(), nurse) as wire:
        _, start = await snapshot(wire)
    await register(categories["I"], LAST)
    await sync_to_async(nurse.user_permissions.clear)()
    nurse = await type(nurse).objects.aget(pk=nurse.pk)
    async with Wire(Consumer.as_asgi(), nurse) as wire:
        assert await wire.subscribe(NEW, after=start) == ["FORBIDDEN"]
        assert not any(LAST in frame for frame in wire.frames)
