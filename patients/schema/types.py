"""GraphQL's view of the domain's models."""

from typing import Any

import graphene
from graphene_django import DjangoObjectType

from live.context import Context, SharedContext
from live.execution.connections import PositionedConnection
from live.execution.resolvers import from_memory
from patients import selectors
from patients.icd10 import name_in
from patients.models import DiseaseCategory, Patient

PatientStatus = graphene.Enum.from_enum(Patient.Status, name="PatientStatus")
AdministrativeGender = graphene.Enum.from_enum(Patient.Sex, name="AdministrativeGender")


class DiseaseCategoryType(DjangoObjectType):
    """A chapter of ICD-10, or a hospital's own category."""

    class Meta:
        model = DiseaseCategory
        name = "DiseaseCategory"
        fields = ("code", "name", "block_range")

    @staticmethod
    @from_memory
    def resolve_name(root: DiseaseCategory, info: graphene.ResolveInfo) -> str:
        return name_in(_language(info.context), root.code, root.name)


def _language(context: Context | SharedContext) -> str:
    """Return the client's language, which a shared run knows of its audience."""
    asked: Any = context.audience if isinstance(context, SharedContext) else context
    return str(asked.language)


class CountedConnection(PositionedConnection):
    """A connection that also tells how many there are in all."""

    class Meta:
        abstract = True

    total_count = graphene.Int(required=True, description="All that match, not this page's.")

    @staticmethod
    @from_memory
    def resolve_total_count(root: Any, info: graphene.ResolveInfo) -> int:
        return root.length


class PatientType(DjangoObjectType):
    """A person admitted to the hospital."""

    status = graphene.Field(PatientStatus, required=True)
    sex = graphene.Field(AdministrativeGender, required=True)

    class Meta:
        model = Patient
        name = "Patient"
        interfaces = (graphene.relay.Node,)
        connection_class = CountedConnection
        fields = (
            "name",
            "birth_date",
            "reason",
            "admitted_at",
            "discharged_at",
            "external_id",
            "category",
        )

    @staticmethod
    @from_memory
    def resolve_id(root: Patient, info: graphene.ResolveInfo) -> int | None:
        return root.pk

    @classmethod
    def get_node(cls, info: graphene.ResolveInfo, id: str) -> Patient | None:
        """Return the patient with primary key `id`, None where the user may see no such one."""
        try:
            pk = int(id)
        except ValueError:  # no number, or of more digits than Python reads
            return None
        return selectors.patient_visible(user=info.context.user, pk=pk)
