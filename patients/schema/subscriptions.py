"""The domain's part of Subscription."""

import enum
import functools
from typing import Any, NamedTuple

import graphene
from django.utils.translation import gettext as _
from django.utils.translation import override

from live.auth import require_login
from live.errors import BadInput, Forbidden
from live.execution.resolvers import from_memory
from live.identity.rights_cache import cached_rights
from live.subscription import Subscription
from patients import selectors
from patients.events import group_watched, pk_in, subject_of
from patients.models import DiseaseCategory, Patient
from patients.schema.ids import patient_pk
from patients.schema.types import PatientType


class PatientChange(enum.Enum):
    """What happened to a patient who was registered before."""

    UPDATED = "updated"
    DISCHARGED = "discharged"
    DELETED = "deleted"


PatientChangeEnum = graphene.Enum.from_enum(PatientChange, name="PatientChange")


class Audience(NamedTuple):
    """All that a notification depends on about the client, beside the arguments."""

    language: str
    hidden_categories: frozenset[int]


class Present(NamedTuple):
    """A patient now: the category's key, and the row where the event's payload is forgotten."""

    category_id: int
    patient: Patient | None = None


class PatientSubscription(Subscription):
    """A subscription to patients: who may have it, and what it withholds."""

    class Meta:
        abstract = True

    @staticmethod
    async def authorize(
        root: Any, info: graphene.ResolveInfo, id: str | None = None, category: str | None = None
    ) -> selectors.ViewingRights:
        user = info.context.user
        require_login(user)
        rights = await cached_rights(user, selectors.viewing_rights)
        if not rights.may_view:
            raise Forbidden()
        if category is not None and category not in rights.categories:
            raise BadInput("There is no such disease category.")
        return rights

    @staticmethod
    def audience(info: graphene.ResolveInfo, **arguments: Any) -> Audience:
        return Audience(info.context.language, info.context.authorized.hidden)

    @staticmethod
    @from_memory
    def subscribe(
        root: Any, info: graphene.ResolveInfo, id: str | None = None, category: str | None = None
    ) -> list[str]:
        pk = patient_pk(id) if id is not None else None
        return [group_watched(pk=pk, category=category)]

    @staticmethod
    def recall(subjects: frozenset[str], forgotten: frozenset[str]) -> dict[str, Present]:
        """Return how the patients are now: one who has moved may be hidden by now."""
        patients = Patient.objects.filter(pk__in=map(pk_in, subjects)).order_by()
        found = {subject_of(pk): Present(of) for pk, of in patients.values_list("pk", "category")}
        rows = Patient.objects.select_related("category").in_bulk(map(pk_in, forgotten))
        return found | {subject_of(pk): Present(p.category_id, p) for pk, p in rows.items()}


def _is_withheld(category: DiseaseCategory, info: graphene.ResolveInfo) -> bool:
    """Whether the client may not see patients of `category`, or of the present one."""
    hidden, now = info.context.audience.hidden_categories, info.context.recalled
    return category.pk in hidden or (now is not None and now.category_id in hidden)


def _patient_in(payload: dict[str, Any]) -> Patient:
    patient = payload["patient"]
    patient.category = payload["category"]
    return patient


def _only_known_as_gone(patient: Patient) -> Patient:
    """Return of a deleted patient what a client needs to take it off its list."""
    kept = {name: getattr(patient, name) for name in ("pk", "category", "status", "admitted_at")}
    return Patient(name="", **kept)


class OnNewPatient(PatientSubscription):
    """A patient was registered."""

    message = graphene.String(required=True)
    patient = graphene.Field(PatientType)

    class Arguments:
        category = graphene.String(description="A disease category's code; without it, all.")

    @staticmethod
    @from_memory
    def publish(
        payload: dict[str, Any] | None, info: graphene.ResolveInfo, category: str | None = None
    ) -> "OnNewPatient | None":
        now = info.context.recalled
        if info.context.is_replayed and now is None:
            return None  # deleted
        patient = _patient_in(payload) if payload is not None else now.patient
        if _is_withheld(patient.category, info) or category not in (None, patient.category.code):
            return None
        message = _added_in(info.context.audience.language) % {"name": patient.name}
        return OnNewPatient(message=message, patient=patient)


@functools.cache
def _added_in(language: str) -> str:
    with override(language):
        return _("New patient added: %(name)s")


class OnPatientChanged(PatientSubscription):
    """A patient was updated, discharged or deleted."""

    change = graphene.Field(PatientChangeEnum, required=True)
    message = graphene.String(required=True)
    patient = graphene.Field(PatientType, description="As it is now; before, if it was deleted.")

    class Arguments:
        id = graphene.ID(description="One patient; without it, all.")
        category = graphene.String(
            description="A disease category's code; a patient who leaves it is told once more."
        )

    @staticmethod
    @from_memory
    def publish(
        payload: dict[str, Any] | None,
        info: graphene.ResolveInfo,
        id: str | None = None,
        category: str | None = None,
    ) -> "OnPatientChanged | None":
        if payload is None:
            return None  # the event that made it forgotten tells what is so now
        patient = _patient_in(payload)
        if _is_withheld(patient.category, info):
            return None
        # Who asked for one patient in one category is in the patient's group.
        if category not in (None, patient.category.code, payload["formerCategory"]):
            return None
        change = PatientChange(payload["change"])
        if info.context.is_replayed and info.context.recalled is None:
            if change is not PatientChange.DELETED:
                return None
            patient = _only_known_as_gone(patient)
        message = _message_in(info.context.audience.language, change) % {"name": patient.name}
        return OnPatientChanged(change=change, message=message, patient=patient)


@functools.cache
def _message_in(language: str, change: PatientChange) -> str:
    with override(language):
        return {
            PatientChange.UPDATED: _("Patient updated: %(name)s"),
            PatientChange.DISCHARGED: _("Patient discharged: %(name)s"),
            PatientChange.DELETED: _("Patient deleted: %(name)s"),
        }[change]


class PatientSubscriptions(graphene.ObjectType):
    """What can be watched of patients."""

    on_new_patient = OnNewPatient.Field()
    on_patient_changed = OnPatientChanged.Field()
