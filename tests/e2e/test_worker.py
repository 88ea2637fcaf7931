"""gunicorn with server.workers.Worker, as production runs it: ready frames on the wire."""

import pytest

from tests.e2e.clients import Client
from tests.e2e.servers import Server

SUBSCRIPTION = "subscription { onNewPatient { patient { name reason } } }"
# A frame's length has one, three or nine bytes: reasons that make one of each.
CREATE = """
from patients.models import *
category = DiseaseCategory.objects.get(code="I")
Patient.objects.create(name="é", category=category)
Patient.objects.create(name="Middling", category=category, reason="ß" * 200)
Patient.objects.create(name="Last", category=category, reason="x" * 500)
"""
EXPECTED = [("é", ""), ("Middling", "ß" * 200), ("Last", "x" * 500)]


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """One gunicorn worker."""
    running = Server(tmp_path_factory.mktemp("worker"), kind="gunicorn").prepare().start()
    yield running
    running.stop()


async def test_every_subscriber_of_either_subprotocol_is_told_in_order(worker):
    modern = Client(worker, user="nurse")
    legacy = Client(worker, user="nurse", subprotocol="graphql-ws")
    async with modern, legacy:
        streams = [await client.subscribe(SUBSCRIPTION) for client in (modern, modern, legacy)]
        worker.shell(CREATE)
        for stream in streams:
            told = [(await stream.next())["onNewPatient"]["patient"] for _ in EXPECTED]
            assert [(patient["name"], patient["reason"]) for patient in told] == EXPECTED
