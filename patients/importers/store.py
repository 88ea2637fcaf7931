"""Writing imported patients to the database, batch by batch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from live import history
from live.log.append import one_batch
from patients.importers.chapters import DEFAULT_CHAPTER
from patients.importers.synthea import Admission
from patients.models import DiseaseCategory, Patient


@dataclass
class Tally:
    """How many patients were written, and how many were already as in the export."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def add(self, other: "Tally") -> None:
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged

    def __str__(self) -> str:
        return f"{self.created} created, {self.updated} updated, {self.unchanged} unchanged"


class PatientStore:
    """The patients in the database, found by external id.

    Args:
        categories: the disease categories by code; DEFAULT_CHAPTER has to be among them.
        chapters: the category's code for each reason's code.
        author: for whose import the patients' histories have an entry; None: they have none.
    """

    def __init__(
        self,
        categories: Mapping[str, DiseaseCategory],
        chapters: Mapping[str, str],
        author: history.Author | None = None,
    ) -> None:
        self._categories = categories
        self._chapters = chapters
        self._author = author

    @one_batch()
    def write(self, admissions: Sequence[Admission]) -> Tally:
        """Create those that are new, update those that differ, announce both; all or nothing."""
        present = self._present(admissions)
        new: list[Patient] = []
        changed: list[tuple[Patient, Collection[str]]] = []
        for admission in admissions:
            values = self._values(admission)
            patient = present.get(admission.person.external_id)
            if patient is None:
                new.append(Patient(**values))
            elif differing := _differing(patient, values):
                for name, value in differing.items():
                    setattr(patient, name, value)
                changed.append((patient, differing.keys()))
        Patient.objects.bulk_create(new)
        if changed:
            fields = {name for _, names in changed for name in names}
            Patient.objects.bulk_update([patient for patient, _ in changed], fields)
        self._note(new, changed)
        return Tally(len(new), len(changed), len(admissions) - len(new) - len(changed))

    def _note(
        self, new: Sequence[Patient], changed: Sequence[tuple[Patient, Collection[str]]]
    ) -> None:
        """Write who imported them in the patients' histories, for all in one statement."""
        author = self._author
        if author is not None:
            created = [history.added(author, patient) for patient in new]
            updated = [history.changed(author, patient, names) for patient, names in changed]
            history.write(created + updated)

    def _present(self, admissions: Sequence[Admission]) -> dict[str, Patient]:
        ids = [admission.person.external_id for admission in admissions]
        return {row.external_id: row for row in self._rows(ids)}

    def _rows(self, external_ids: Sequence[str]) -> QuerySet[Patient]:
        # The index on external ids leaves the empty one out, so the question has to as well.
        rows = Patient.objects.filter(external_id__in=external_ids).exclude(external_id="")
        return rows.order_by("pk").select_related("category").select_for_update(of=("self",))

    def _values(self, admission: Admission) -> dict[str, Any]:
        person, encounter = admission.person, admission.encounter
        status = Patient.Status.DISCHARGED if encounter.stop else Patient.Status.ADMITTED
        return {
            "external_id": person.external_id,
            "name": person.name,
            "birth_date": person.birth_date,
            "sex": person.sex,
            "category": self._category(encounter.reason_code),
            "reason": encounter.reason,
            "status": status.value,
            "admitted_at": encounter.start,
            "discharged_at": encounter.stop,
        }

    def _category(self, reason_code: str) -> DiseaseCategory:
        return self._categories[self._chapters.get(reason_code, DEFAULT_CHAPTER)]


def _differing(patient: Patient, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if getattr(patient, name) != value}
