"""The main job: wherever a patient is written, exactly those who watch are told, once."""

import asyncio

import pytest

from tests.e2e.clients import (
    CREATE_PATIENT,
    ON_NEW_PATIENT,
    ON_PATIENT_CHANGED,
    SUBPROTOCOLS,
    Browser,
    Client,
    Refused,
    data_of,
)
from tests.e2e.forms import submit_form
from tests.e2e.ward import EVERYTHING, Ward

ADA = {"input": {"name": "Ada", "category": "IX"}}
MODELS = """
from django.db import transaction
from patients.models import DiseaseCategory, Patient
IX, X, XI = (DiseaseCategory.objects.get(code=code) for code in ("IX", "X", "XI"))
"""


@pytest.fixture
async def ward(server):
    async with Ward(server) as ward:
        yield ward


async def in_shell(server, code: str) -> str:
    """Run code in a Django shell, while this process goes on reading its sockets."""
    return await asyncio.to_thread(server.shell, MODELS + code)


async def register_in_shell(server):
    await in_shell(server, "Patient.objects.create(name='Ada', category=IX)")


async def register_in_bulk(server):
    await in_shell(server, "Patient.objects.bulk_create([Patient(name='Ada', category=IX)])")


async def register_in_admin(server):
    async with Browser(server, "demo") as browser:
        category = (await in_shell(server, "print(IX.pk)")).strip()
        await submit_form(browser, "/admin/patients/patient/add/", name="Ada", category=category)


async def register_over_http(server):
    async with Browser(server, "demo") as browser:
        assert data_of(await browser.post(CREATE_PATIENT, ADA))["createPatient"]["errors"] == []


async def register_over_websocket(server):
    async with Client(server, "demo") as client:
        assert (await client.execute(CREATE_PATIENT, ADA))["createPatient"]["errors"] == []


async def register_over_legacy_websocket(server):
    async with Client(server, "demo", "graphql-ws") as client:
        assert (await client.execute(CREATE_PATIENT, ADA))["createPatient"]["errors"] == []


@pytest.mark.parametrize(
    "register",
    [
        register_in_shell,
        register_in_bulk,
        register_in_admin,
        register_over_http,
        register_over_websocket,
        register_over_legacy_websocket,
    ],
)
async def test_whoever_watches_is_told_once_of_a_new_patient(server, ward, register):
    await register(server)
    assert await ward.told() == {EVERYTHING: ["new Ada"], "IX": ["new Ada"]}


async def test_a_rolled_back_save_tells_nobody(server, ward):
    await in_shell(
        server,
        """
try:
    with transaction.atomic():
        Patient.objects.create(name="Rolled back", category=IX)
        Patient.objects.bulk_create([Patient(name="Rolled back", category=X)])
        raise LookupError
except LookupError:
    Patient.objects.create(name="Kept", category=X)
""",
    )
    assert await ward.told() == {EVERYTHING: ["new Kept"], "X": ["new Kept"]}


async def test_refused_writes_tell_nobody(server, ward):
    blank = {"input": {"name": " ", "category": "IX"}}
    async with Client(server, "demo") as client, Client(server, "nurse") as nurse:
        assert (await client.execute(CREATE_PATIENT, blank))["createPatient"]["errors"]
        with pytest.raises(Refused) as refused:
            await nurse.execute(CREATE_PATIENT, ADA)
    assert refused.value.codes == ["FORBIDDEN"]
    assert await ward.told() == {}


async def test_bulk_writes_announce_each_row_once(server, ward):
    await in_shell(
        server,
        """
rows = [Patient(name=name, category=c) for name, c in (("Bo", IX), ("Cy", X), ("Di", X))]
Patient.objects.bulk_create(rows)
Patient.objects.filter(category=X, name__in=["Cy", "Di"]).update(reason="Asthma")
""",
    )
    assert await ward.told() == {
        EVERYTHING: ["new Bo", "new Cy", "new Di", "updated Cy", "updated Di"],
        "IX": ["new Bo"],
        "X": ["new Cy", "new Di", "updated Cy", "updated Di"],
    }
    await in_shell(
        server,
        """
bo, cy = Patient.objects.get(name="Bo"), Patient.objects.get(name="Cy")
bo.reason, cy.category = "Hypertension", XI
Patient.objects.bulk_update([bo, cy], ["reason", "category"])
Patient.objects.filter(name="Di").delete()
bo.delete()
cy.save()
""",
    )
    assert await ward.told() == {
        EVERYTHING: ["updated Bo", "updated Cy", "deleted Di", "deleted Bo"],
        "IX": ["updated Bo", "deleted Bo"],
        "X": ["updated Cy", "deleted Di"],
        "XI": ["updated Cy"],
    }


async def test_the_admins_discharge_action_tells_of_each_patient(server, ward):
    people = "(('Ed', IX), ('Flo', X))"
    create = f"print(*(Patient.objects.create(name=n, category=c).pk for n, c in {people}))"
    keys = (await in_shell(server, create)).split()
    async with Browser(server, "demo") as browser:
        path = "/admin/patients/patient/"
        await submit_form(browser, path, action="discharge", _selected_action=keys, post="yes")
    told = {who: sorted(events) for who, events in (await ward.told()).items()}
    assert told == {
        EVERYTHING: ["discharged Ed", "discharged Flo", "new Ed", "new Flo"],
        "IX": ["discharged Ed", "new Ed"],
        "X": ["discharged Flo", "new Flo"],
    }


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize(("user", "code"), [("visitor", "FORBIDDEN"), (None, "UNAUTHENTICATED")])
@pytest.mark.parametrize("query", [ON_NEW_PATIENT, ON_PATIENT_CHANGED])
async def test_who_may_not_view_is_refused(server, query, user, code, subprotocol):
    async with Client(server, user, subprotocol) as client:
        with pytest.raises(Refused) as refused:
            await client.subscribe(query, category="IX")
    assert refused.value.codes == [code]
