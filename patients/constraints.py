"""What the database's constraints demand of a patient, checked in memory.

Django checks constraints for a form by a query each, with a savepoint around it: they cost more
than all else of a registration. The database checks them again when the row is written.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

# Of patients.models, which imports this file.
Patient = Any


class Rule(NamedTuple):
    """A CHECK as a function of the patient, and the fields that it reads."""

    reads: frozenset[str]
    holds: Callable[[Patient], bool]


def _is_named(patient: Patient) -> bool:
    return bool(patient.name.strip())


def _is_born(patient: Patient) -> bool:
    return patient.birth_date is None or patient.birth_date <= patient.recorded_on


def _leaves_after_coming(patient: Patient) -> bool:
    return patient.discharged_at is None or patient.discharged_at >= patient.admitted_at


def _is_discharged_at_a_time(patient: Patient) -> bool:
    left = patient.discharged_at is not None
    return patient.status == (patient.Status.DISCHARGED if left else patient.Status.ADMITTED)


def _has_a_sex_of_fhir(patient: Patient) -> bool:
    return patient.sex in patient.Sex.values


def _rule(holds: Callable[[Patient], bool], *reads: str) -> Rule:
    return Rule(frozenset(reads), holds)


# By the constraint's name.
RULES = {
    "patient_name_not_blank": _rule(_is_named, "name"),
    "patient_birth_not_in_future": _rule(_is_born, "birth_date", "recorded_on"),
    "patient_discharge_after_admission": _rule(
        _leaves_after_coming, "discharged_at", "admitted_at"
    ),
    "patient_status_fits_discharge": _rule(_is_discharged_at_a_time, "status", "discharged_at"),
    "patient_sex_is_fhir": _rule(_has_a_sex_of_fhir, "sex"),
}


def satisfies(patient: Patient, name: str, exclude: Collection[str]) -> bool:
    """Return whether `patient` satisfies the constraint `name`.

    One that reads a field of `exclude` is not checked, and counts as satisfied.
    """
    rule = RULES[name]
    return bool(rule.reads.intersection(exclude)) or rule.holds(patient)
