"""Writes. Every one of them is announced by the receivers in signals.py."""

import datetime
from collections.abc import Collection, Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from live.log.append import one_batch
from patients.models import Patient

# What a discharge changes.
STAY = ("status", "discharged_at")


@transaction.atomic
def patient_discharge(*, patient: Patient, at: datetime.datetime | None = None) -> Patient:
    """Discharge `patient` at the time `at` (now where it is not given).

    The row is locked and read anew, so that two who discharge at once do it once.

    Raises ValidationError where the patient was discharged before, or `at` is before the
    admission.
    """
    current = Patient.objects.select_for_update(of=("self",)).get(pk=patient.pk)
    if current.status == Patient.Status.DISCHARGED:
        raise ValidationError(_("The patient is already discharged."), code="discharged")
    current.status = Patient.Status.DISCHARGED
    current.discharged_at = at or timezone.now()
    current.full_clean()
    current.save()
    return current


@one_batch()
def patients_discharge(*, patients: QuerySet[Patient], at: datetime.datetime) -> list[Patient]:
    """Discharge those of `patients` who are in the hospital, at the time `at`; return them.

    Left as they are: who was discharged before, meanwhile too, and who is admitted after `at`.
    """
    staying = patients.filter(status=Patient.Status.ADMITTED, admitted_at__lte=at)
    chosen = _locked(staying)
    _update(chosen, status=Patient.Status.DISCHARGED, discharged_at=at)
    return chosen


@one_batch()
def discharges_undo(
    *, patients: QuerySet[Patient], discharged_at: Mapping[int, datetime.datetime]
) -> list[Patient]:
    """Admit again those of `patients` whose discharge is still the one that is meant; return them.

    Args:
        discharged_at: by primary key, the time of the discharge to undo. Who was admitted
            again since, or discharged at another time, is left as they are.
    """
    discharged = _locked(patients.filter(status=Patient.Status.DISCHARGED))
    chosen = [p for p in discharged if p.discharged_at == discharged_at.get(p.pk)]
    _update(chosen, status=Patient.Status.ADMITTED, discharged_at=None)
    return chosen


def _locked(patients: QuerySet[Patient]) -> list[Patient]:
    """Return the patients, their rows locked; whoever has come not to match is not among them."""
    return list(patients.order_by("pk").select_for_update(of=("self",)))


def _update(patients: Collection[Patient], **values: object) -> None:
    if patients:
        Patient.objects.filter(pk__in=[patient.pk for patient in patients]).update(**values)
