"""The domain's part of Query."""

from typing import Any

import graphene
from django.db.models import QuerySet

from live.execution.connections import BoundedConnectionField
from patients import selectors
from patients.filters import filtered
from patients.models import DiseaseCategory, Patient
from patients.schema.ids import check_node_id, patient_pk
from patients.schema.text import check_text
from patients.schema.types import DiseaseCategoryType, PatientStatus, PatientType


class PatientQueries(graphene.ObjectType):
    """What can be asked of patients."""

    disease_categories = graphene.List(
        graphene.NonNull(DiseaseCategoryType),
        required=True,
        description="The categories that a patient can be admitted under.",
    )
    patient = graphene.Field(PatientType, id=graphene.ID(required=True))
    patients = BoundedConnectionField(
        PatientType,
        required=True,
        category=graphene.String(description="A disease category's code."),
        status=PatientStatus(),
        search=graphene.String(description="Words to find in name, reason or external id."),
        description="The patients, the newest admission first.",
    )
    node = graphene.Field(graphene.relay.Node, id=graphene.ID(required=True))

    @staticmethod
    def resolve_disease_categories(root: Any, info: graphene.ResolveInfo) -> list[DiseaseCategory]:
        return list(selectors.categories_visible(user=info.context.user))

    @staticmethod
    def resolve_patient(root: Any, info: graphene.ResolveInfo, id: str) -> Patient | None:
        return selectors.patient_visible(user=info.context.user, pk=patient_pk(id))

    @staticmethod
    def resolve_patients(
        root: Any,
        info: graphene.ResolveInfo,
        category: str | None = None,
        status: Patient.Status | None = None,
        search: str | None = None,
        **page: Any,
    ) -> QuerySet[Patient]:
        user = info.context.user
        visible = selectors.patients_visible(user=user)
        check_text(category=category, search=search)
        if category is not None:
            selectors.category_visible(user=user, code=category)
        data = {"category": category, "status": status and status.value, "search": search}
        return filtered(visible, data) if any(data.values()) else visible

    @staticmethod
    def resolve_node(root: Any, info: graphene.ResolveInfo, id: str) -> Any:
        check_node_id(info, id)
        return graphene.relay.Node.get_node_from_global_id(info, id)
