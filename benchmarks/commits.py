"""What both Django servers do for the benchmark: note commits, and make up patients."""

import functools
from typing import Any

from django.db import transaction
from django.db.models.signals import pre_save

from benchmarks.probe import stamp
from patients.models import DiseaseCategory, Patient


def note_commits() -> None:
    """Stamp each patient on commit, before the broadcast that the commit sets off.

    `on_commit` calls back in the order of registration, and nothing of the application
    registers earlier than the first `pre_save`.
    """
    pre_save.connect(_register, sender=Patient, weak=False, dispatch_uid="benchmark")


def _register(instance: Patient, **_: Any) -> None:
    transaction.on_commit(lambda: stamp(instance.name))


def patient_like(name: str, category: str) -> Patient:
    """Return a patient as it is after its insert, without a database."""
    number = int(name.partition("#")[2][:7])
    return Patient(pk=1_000_000 + number, name=name, category=_category(category))


@functools.cache
def _category(code: str) -> DiseaseCategory:
    return DiseaseCategory(pk=int(code[1:]) + 23, code=code, name=f"Benchmark {code}")
