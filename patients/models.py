"""Patients and the disease categories they are admitted under."""

import copy
from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models, router, transaction
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThan
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from live.saving import AtomicSave
from patients.constraints import satisfies
from patients.functions import Strip
from patients.icd10 import short_name, shown_name
from patients.imports.models import ImportRun, UploadedPart  # noqa: F401  Django looks here
from patients.querysets import PatientQuerySet
from patients.validators import check_storable, validate_not_blank, validate_not_in_future


class DiseaseCategory(AtomicSave):
    """A chapter of ICD-10, or a hospital's own category; subscribers choose by its code."""

    code = models.CharField(
        _("code"),
        max_length=16,
        unique=True,
        help_text=_(
            "ICD-10 chapter, I … XXII, or a code of the hospital's own. Boards and programs "
            "subscribe by it; after a change they have to subscribe anew."
        ),
    )
    name = models.CharField(
        _("name"),
        max_length=200,
        help_text=_("In full; lists of patients show ICD-10's chapters by a short name."),
    )
    block_range = models.CharField(
        _("block range"),
        max_length=16,
        blank=True,
        help_text=_("ICD-10 blocks it spans, such as A00-B99"),
    )
    viewers = models.ManyToManyField(
        Group,
        verbose_name=_("viewers"),
        blank=True,
        related_name="visible_disease_categories",
        help_text=_("Only these groups see its patients; empty: everyone who may view patients."),
    )

    class Meta:
        # A new installation's chapters are created in ICD-10's order, which their Roman
        # numerals would not sort into.
        ordering = ("id",)
        verbose_name = _("disease category")
        verbose_name_plural = _("disease categories")

    def __str__(self) -> str:
        return f"{self.code} {self.shown_name}"

    @property
    def shown_name(self) -> str:
        """The name in the present language, where it is still that of ICD-10's chapter."""
        return shown_name(self.code, self.name)

    @property
    def short_name(self) -> str:
        """The name for a column, in the present language: 24 characters at most."""
        return Truncator(short_name(self.code, self.name)).chars(24)

    @property
    def label(self) -> str:
        """The code and the short name."""
        return f"{self.code} {self.short_name}"


class Patient(models.Model):
    """A person admitted to the hospital."""

    class Sex(models.TextChoices):
        """FHIR R4's value set administrative-gender."""

        MALE = "male", _("male")
        FEMALE = "female", _("female")
        OTHER = "other", _("other")
        UNKNOWN = "unknown", _("unknown")

    class Status(models.TextChoices):
        """Whether the patient is in the hospital."""

        ADMITTED = "admitted", _("admitted")
        DISCHARGED = "discharged", _("discharged")

    name = models.CharField(_("name"), max_length=200, validators=[validate_not_blank])
    birth_date = models.DateField(
        _("birth date"),
        null=True,
        blank=True,
        validators=[validate_not_in_future],
        help_text=_("Empty where it is not known."),
    )
    sex = models.CharField(
        _("sex"),
        max_length=7,
        choices=Sex.choices,
        default=Sex.UNKNOWN,
        help_text=_("FHIR's administrative gender; unknown where nobody has asked."),
    )
    category = models.ForeignKey(
        DiseaseCategory,
        models.PROTECT,
        verbose_name=_("category"),
        related_name="patients",
        help_text=_("Decides which boards are told of the patient, and who may see them."),
    )
    reason = models.CharField(
        _("reason"),
        max_length=500,
        blank=True,
        help_text=_("Why the patient was admitted, in words."),
    )
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=Status.choices,
        default=Status.ADMITTED,
        help_text=_("A discharged patient has a time of discharge, an admitted one has none."),
    )
    admitted_at = models.DateTimeField(
        _("admitted at"), default=timezone.now, help_text=_("When the stay began.")
    )
    discharged_at = models.DateTimeField(
        _("discharged at"),
        null=True,
        blank=True,
        help_text=_("When the stay ended; empty while the patient is in the hospital."),
    )
    external_id = models.CharField(
        _("external id"),
        max_length=100,
        blank=True,
        help_text=_(
            "The patient's id in the system that they come from; imports find them by it. "
            "No two patients have the same; empty where there is none."
        ),
    )
    # A CHECK cannot know today's date, but it can compare two columns: with the day on
    # which the row was written beside it, the database refuses a birth in the future.
    recorded_on = models.DateField(
        _("recorded on"), auto_now=True, help_text=_("The day of the last change.")
    )

    objects = PatientQuerySet.as_manager()

    class Meta:
        # The id makes the order total: pages neither repeat nor skip a patient.
        ordering = ("-admitted_at", "-id")
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        indexes = [
            models.Index(fields=["-admitted_at", "-id"], name="patient_newest"),
            models.Index(fields=["category", "-admitted_at", "-id"], name="patient_by_category"),
            models.Index(fields=["status", "-admitted_at", "-id"], name="patient_by_status"),
            models.Index(fields=["name"], name="patient_by_name"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=GreaterThan(Length(Strip("name")), 0),
                name="patient_name_not_blank",
                violation_error_message=_("The name is blank."),
            ),
            models.CheckConstraint(
                condition=Q(birth_date__isnull=True) | Q(birth_date__lte=F("recorded_on")),
                name="patient_birth_not_in_future",
                violation_error_message=_("The date of birth is in the future."),
            ),
            models.CheckConstraint(
                condition=Q(discharged_at__isnull=True) | Q(discharged_at__gte=F("admitted_at")),
                name="patient_discharge_after_admission",
                violation_error_message=_("The discharge is before the admission."),
            ),
            models.CheckConstraint(
                condition=Q(status="admitted", discharged_at__isnull=True)
                | Q(status="discharged", discharged_at__isnull=False),
                name="patient_status_fits_discharge",
                violation_error_message=_(
                    "A discharged patient has a time of discharge, an admitted one has none."
                ),
            ),
            models.CheckConstraint(
                condition=Q(sex__in=["male", "female", "other", "unknown"]),
                name="patient_sex_is_fhir",
                violation_error_message=_("The sex is not a FHIR administrative gender."),
            ),
            models.UniqueConstraint(
                fields=["external_id"],
                condition=~Q(external_id=""),
                name="patient_external_id_unique",
                violation_error_message=_("Another patient has this external id."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write it, as Django's, and know what that changes: the row is locked and read first.

        What this object was read with may be out of date by now, or was rolled back.
        """
        if kwargs.get("update_fields"):
            # The checks rely on it, so it has to be that of this save.
            kwargs["update_fields"] = {*kwargs["update_fields"], "recorded_on"}
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        # Without a savepoint, as Django's: where it fails, what is around it rolls back.
        with transaction.atomic(using=using, savepoint=False):
            if self.pk is not None:
                rows = Patient._base_manager.using(using).select_for_update()
                self.before = rows.filter(pk=self.pk).first()
            super().save(*args, **kwargs)
            self.before = None

    # The row that the write going on replaces; None for a new one, and outside a write.
    before: "Patient | None" = None

    def changed_fields(self) -> set[str]:
        """Return the attnames that differ from `before`; all of them for a new row.

        `recorded_on` does not count: that a row was written is not a change to the patient.
        """
        fields = [f for f in self._meta.concrete_fields if f.name != "recorded_on"]
        if self.before is None:
            return {field.attname for field in fields}
        # A deferred field that was never read cannot have been changed through this object.
        present = [field for field in fields if field.attname in self.__dict__]
        return {f.attname for f in present if self._value(f) != self.before._value(f)}

    def as_written(self, names: Collection[str] | None) -> "Patient":
        """Return the patient as it is after a save of the fields `names` (None is all) only."""
        if names is None or self.before is None:
            return self
        patient = copy.copy(self)
        for field in self._meta.concrete_fields:
            if not {field.name, field.attname} & set(names):
                setattr(patient, field.attname, getattr(self.before, field.attname))
        return patient

    def _value(self, field: models.Field) -> Any:
        # A date may be assigned as a string, which a save takes too.
        return field.to_python(getattr(self, field.attname))

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Check the fields, as Django's; a category that was read is not asked for once more."""
        category = self._state.fields_cache.get("category")
        known = ["category"] if category is not None and category.pk is not None else []
        super().clean_fields(exclude=[*(exclude or ()), *known])

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the constraints, as Django's, in memory but for an external id."""
        failed = [c for c in self._meta.constraints if not self._satisfies(c, exclude or ())]
        errors = [
            ValidationError(c.get_violation_error_message(), code=c.violation_error_code)
            for c in failed
        ]
        if errors:
            raise ValidationError({NON_FIELD_ERRORS: errors})

    def _satisfies(self, constraint: models.BaseConstraint, exclude: Collection[str]) -> bool:
        if isinstance(constraint, models.CheckConstraint):
            return satisfies(self, constraint.name, exclude)
        # Without an external id there is nothing to ask for.
        return "external_id" in exclude or not self.external_id or self._has_own_external_id()

    def _has_own_external_id(self) -> bool:
        others = Patient._base_manager.using(router.db_for_write(Patient, instance=self))
        # The index leaves the empty one out, so the question has to as well.
        same = others.filter(external_id=self.external_id).exclude(external_id="")
        return not same.exclude(pk=self.pk).exists()

    def clean(self) -> None:
        """Trim the name; raise ValidationError on a discharge before the admission, or no time."""
        self.name = self.name.strip()
        for name in ("admitted_at", "discharged_at"):
            check_storable(name, getattr(self, name))
        # As a save would set it: with that of the last one, today's birth were in the future.
        self.recorded_on = timezone.localdate()
        if self.discharged_at and self.admitted_at and self.discharged_at < self.admitted_at:
            raise ValidationError({"discharged_at": _("The discharge is before the admission.")})
