"""Bulk writes that announce themselves: Django sends no signal for them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models.signals import post_save

if TYPE_CHECKING:
    from patients.models import Patient


class PatientQuerySet(models.QuerySet["Patient"]):
    """Patients; each row that a bulk method writes is announced like a single save."""

    def bulk_create(self, objs: Iterable["Patient"], *args: Any, **kwargs: Any) -> list["Patient"]:
        """Insert many, as Django's; conflict options are refused.

        Raises ValueError with `ignore_conflicts` or `update_conflicts`: which rows were
        written is unknown then, and a patient that nobody is told about is a patient lost.
        """
        if kwargs.get("ignore_conflicts") or kwargs.get("update_conflicts"):
            raise ValueError("bulk_create of patients takes no conflict options: see its docstring")
        with transaction.atomic(using=self.db):
            created = super().bulk_create(objs, *args, **kwargs)
            self._announce(created, created=True)
        return created

    def bulk_update(self, objs: Iterable["Patient"], fields: Any, *args: Any, **kwargs: Any) -> int:
        """Update many, as Django's; `recorded_on` with them, as a single save does."""
        objs = list(objs)
        recorded_on = self._recorded_on()
        for patient in objs:
            recorded_on.pre_save(patient, add=False)
        fields = {*fields, recorded_on.name}
        with transaction.atomic(using=self.db):
            # Django's bulk_update calls update(), which would announce each row again.
            silent = models.QuerySet(self.model, using=self._db)
            count = silent.bulk_update(objs, fields, *args, **kwargs)
            self._announce(objs, created=False)
        return count

    def update(self, **values: Any) -> int:
        """Update the rows selected, as Django's; each is announced if that changed it."""
        # The check on birth dates compares with it, so an old one would refuse a new-born.
        values.setdefault("recorded_on", self._recorded_on().pre_save(self.model(), add=False))
        with transaction.atomic(using=self.db):
            before = list(self.select_for_update(of=("self",)).order_by("id"))
            count = super().update(**values)
            written = self._reread(before)
            self._announce(written, created=False)
        return count

    update.alters_data = True  # type: ignore[attr-defined]

    def _recorded_on(self) -> models.Field:
        return self.model._meta.get_field("recorded_on")

    def _reread(self, before: list["Patient"]) -> list["Patient"]:
        """Return the rows as they are now, each remembering what it was in `before`."""
        rows = self.model._base_manager.using(self.db).select_related("category")
        now = rows.in_bulk([patient.pk for patient in before])
        for patient in before:
            if patient.pk in now:
                now[patient.pk]._loaded = patient._loaded
        return list(now.values())

    def _announce(self, patients: Iterable["Patient"], *, created: bool) -> None:
        for patient in patients:
            post_save.send(
                self.model,
                instance=patient,
                created=created,
                raw=False,
                using=self.db,
                update_fields=None,
            )
