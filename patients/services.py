"""Writes. Every one of them is announced by the receivers in signals.py."""

import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from patients.models import Patient


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
