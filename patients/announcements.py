"""From a change in the database to the broadcasts that tell of it."""

from typing import Any

from patients.events import groups_of, subject_of
from patients.models import Patient
from patients.schema.subscriptions import OnNewPatient, OnPatientChanged, PatientChange


def announce_created(patient: Patient) -> None:
    """Tell the subscribers of OnNewPatient, once the transaction commits."""
    OnNewPatient.broadcast(
        group=groups_of(patient), payload=_payload(patient), about=subject_of(patient.pk)
    )


def announce_updated(patient: Patient) -> None:
    """Tell the subscribers of OnPatientChanged; a save that changed nothing tells nobody."""
    changed = patient.changed_fields()
    if not changed:
        return
    discharged = "status" in changed and patient.status == Patient.Status.DISCHARGED
    kind = PatientChange.DISCHARGED if discharged else PatientChange.UPDATED
    _announce_change(patient, kind, former_category=_former_category(patient))


def announce_deleted(patient: Patient) -> None:
    """Tell the subscribers of OnPatientChanged that the patient is gone."""
    _announce_change(patient, PatientChange.DELETED)


def _announce_change(
    patient: Patient, kind: PatientChange, former_category: str | None = None
) -> None:
    OnPatientChanged.broadcast(
        group=groups_of(patient, former_category),
        payload={**_payload(patient), "change": kind.value, "formerCategory": former_category},
        about=subject_of(patient.pk),
        # Not all who saw the patient before may do so now.
        forget=kind is PatientChange.DELETED or former_category is not None,
    )


def _payload(patient: Patient) -> dict[str, Any]:
    # With the category beside it no subscriber has to read it from the database.
    return {"patient": patient, "category": patient.category}


def _former_category(patient: Patient) -> str | None:
    before = patient.before
    if before is None or before.category_id == patient.category_id:
        return None
    return before.category.code
