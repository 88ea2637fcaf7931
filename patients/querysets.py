"""Bulk writes that announce themselves: Django sends no signal for them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from django.db import models
from django.db.models.signals import post_save

from live.log.append import one_batch

_Patient = TypeVar("_Patient", bound=models.Model)


class Announced(Protocol):
    """What is set of a patient whose change is announced."""

    pk: Any
    before: Any  # the row as it was, during the announcement


class PatientQuerySet(models.QuerySet[_Patient]):
    """Patients; each row that a bulk method writes is announced like a single save."""

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Any]:
        """Insert many, as Django's; conflict options are refused.

        Raises ValueError with `ignore_conflicts` or `update_conflicts`: which rows were
        written is unknown then, and a patient that nobody is told about is a patient lost.
        """
        if ignore_conflicts or update_conflicts:
            raise ValueError("bulk_create of patients takes no conflict options: see its docstring")
        with one_batch():
            created = super().bulk_create(objs, batch_size)
            for patient in created:
                self._announce(patient, created=True)
        return created

    def bulk_update(
        self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Update many, as Django's; `recorded_on` with them, as a single save does."""
        objs = list(objs)
        recorded_on = self._recorded_on()
        for patient in objs:
            recorded_on.pre_save(patient, add=False)
        fields = {*fields, recorded_on.name}
        with one_batch():
            before = self._stored(patient.pk for patient in objs)
            # Django's bulk_update calls update(), which would announce each row again.
            silent: models.QuerySet = models.QuerySet(self.model, using=self.db)
            count = silent.bulk_update(objs, fields, batch_size)
            self._announce_changed(objs, before, fields)
        return count

    def update(self, **values: Any) -> int:
        """Update the rows selected, as Django's; each is announced if that changed it."""
        # The check on birth dates compares with it, so an old one would refuse a new-born.
        values.setdefault("recorded_on", self._recorded_on().pre_save(self.model(), add=False))
        with one_batch():
            chosen = self.order_by("pk").select_for_update(of=("self",))
            before = self._stored(chosen.values_list("pk", flat=True))
            # Only those that are locked: one that has come to match since is not in `before`.
            count = models.QuerySet.update(self.filter(pk__in=list(before)), **values)
            self._announce_changed(self._stored(before).values(), before, None)
        return count

    update.alters_data = True  # type: ignore[attr-defined]

    def _recorded_on(self) -> Any:
        return self.model._meta.get_field("recorded_on")

    def _stored(self, pks: Iterable[int]) -> dict[int, Any]:
        # In one order whoever asks, so that two who lock the same rows do not lock each other out.
        rows = self.model._base_manager.using(self.db).select_related("category").order_by("pk")
        # in_bulk asks in as many parts as the database's limit on parameters needs.
        return rows.select_for_update(of=("self",)).in_bulk(list(pks))

    def _announce_changed(
        self,
        patients: Iterable[Announced],
        before: Mapping[int, Announced],
        fields: Collection[str] | None,
    ) -> None:
        for patient in patients:
            if patient.pk in before:  # else it was deleted meanwhile, and not written
                patient.before = before[patient.pk]
                self._announce(patient, created=False, fields=fields)
                patient.before = None

    def _announce(
        self, patient: object, *, created: bool, fields: Collection[str] | None = None
    ) -> None:
        post_save.send(
            self.model,
            instance=patient,
            created=created,
            raw=False,
            using=self.db,
            update_fields=fields,
        )
