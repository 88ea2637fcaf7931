"""What happened to a patient, and which subscription groups are told of it.

Every patient event goes to all three kinds of group below, and a subscription joins
exactly one of them, so that it gets an event once.
"""

from patients.models import Patient

EVERYONE = "all"


def category_group(code: str) -> str:
    """Return the group of those who watch one disease category."""
    return f"category:{code}"


def patient_group(pk: int) -> str:
    """Return the group of those who watch one patient."""
    return f"patient:{pk}"


def subject_of(pk: int) -> str:
    """Return what the log's events about one patient are found by."""
    return f"patient:{pk}"


def pk_in(subject: str) -> int:
    """Return the patient's primary key in what `subject_of` returned."""
    return int(subject.partition(":")[2])


def groups_of(patient: Patient, former_category: str | None = None) -> list[str]:
    """Return every group that hears of `patient`.

    Where a patient changes category, those who watch the former one hear of it too:
    for them a patient has left.
    """
    codes = [patient.category.code]
    if former_category and former_category not in codes:
        codes.append(former_category)
    return [EVERYONE, *(category_group(code) for code in codes), patient_group(patient.pk)]


def group_watched(*, pk: int | None = None, category: str | None = None) -> str:
    """Return the one group that a subscription with these arguments joins."""
    if pk is not None:
        return patient_group(pk)
    return category_group(category) if category else EVERYONE
