"""Wardcast as it is, with the benchmark's probe around it."""

from benchmarks.probe import Probed
from server.asgi import application as wardcast

# The settings are loaded by the line above.
from benchmarks.commits import note_commits, patient_like  # isort: skip
from patients.events import groups_of  # isort: skip
from patients.schema.subscriptions import OnNewPatient  # isort: skip


async def announce(name: str, category: str) -> None:
    """Broadcast as patients.announcements does it for a new patient."""
    patient = patient_like(name, category)
    payload = {"patient": patient, "category": patient.category}
    await OnNewPatient.broadcast_async(group=groups_of(patient), payload=payload)


note_commits()
application = Probed(wardcast, announce)
