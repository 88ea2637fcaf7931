"""The domain's part of Mutation: graphene-django's form mutations."""

from typing import Any, ClassVar

import graphene
from django.db import transaction
from graphene_django.forms.mutation import DjangoModelFormMutation

from live import history
from live.auth import require_permission
from live.errors import NotFound
from patients import selectors, services
from patients.forms import DeleteForm, DischargeForm, PatientChangeForm, PatientForm
from patients.models import Patient
from patients.schema.ids import patient_pk
from patients.schema.text import check_text


class PatientMutation(DjangoModelFormMutation):
    """A form mutation that asks for a permission first and is all or nothing.

    What it changes stands in the patient's history.

    Raises Unauthenticated, Forbidden, and NotFound for a patient that is not there or not
    to be seen. Bad input comes back in `errors { field messages }`.
    """

    permission: ClassVar[str]

    class Meta:
        abstract = True

    @classmethod
    def mutate_and_get_payload(cls, root: Any, info: graphene.ResolveInfo, **input: Any) -> Any:
        require_permission(info.context.user, cls.permission)
        check_text(**input)
        with transaction.atomic():
            return super().mutate_and_get_payload(root, info, **input)

    @classmethod
    def get_form_kwargs(cls, root: Any, info: graphene.ResolveInfo, **input: Any) -> dict[str, Any]:
        """Return the form's data and instance; the row is locked until the mutation is done."""
        user = info.context.user
        if "id" not in input:
            return {"data": input, "user": user}
        pk = patient_pk(input.pop("id"))
        visible = selectors.patients_visible(user=user)
        patient = visible.select_for_update(of=("self",)).filter(pk=pk).first()
        if patient is None:
            raise NotFound("There is no such patient.")
        data = {**PatientForm.present_values(patient), **input}
        return {"data": data, "instance": patient, "user": user}


class ExistingPatient:
    """The input of what is done to a patient who is registered."""

    id = graphene.ID(required=True)


class CreatePatientMutation(PatientMutation):
    """Register a patient; every subscriber of the category is told."""

    permission = "patients.add_patient"

    class Meta:
        form_class = PatientForm
        exclude_fields = ("id",)

    @classmethod
    def perform_mutate(cls, form: PatientForm, info: graphene.ResolveInfo) -> Any:
        payload = super().perform_mutate(form, info)
        history.write([history.added(history.author_of(info.context), form.instance)])
        return payload


class UpdatePatientMutation(PatientMutation):
    """Change what is given; the rest stays."""

    permission = "patients.change_patient"

    Input = ExistingPatient

    class Meta:
        form_class = PatientChangeForm
        exclude_fields = ("id",)

    @classmethod
    def perform_mutate(cls, form: PatientChangeForm, info: graphene.ResolveInfo) -> Any:
        payload = super().perform_mutate(form, info)
        if fields := form.changed_fields():
            author = history.author_of(info.context)
            history.write([history.changed(author, form.instance, fields)])
        return payload


class DischargePatientMutation(PatientMutation):
    """Discharge a patient, now where no time is given."""

    permission = "patients.change_patient"

    Input = ExistingPatient

    class Meta:
        form_class = DischargeForm
        exclude_fields = ("id",)

    @classmethod
    def perform_mutate(cls, form: DischargeForm, info: graphene.ResolveInfo) -> Any:
        patient: Patient = form.instance
        at = form.cleaned_data["discharged_at"]
        patient.discharged_at = None  # the service sets it, together with the status
        discharged = services.patient_discharge(patient=patient, at=at)
        author = history.author_of(info.context)
        history.write([history.changed(author, discharged, services.STAY)])
        return cls(errors=[], patient=discharged)


class DeletePatientMutation(PatientMutation):
    """Delete a patient, and return what was deleted."""

    permission = "patients.delete_patient"

    Input = ExistingPatient

    class Meta:
        form_class = DeleteForm
        exclude_fields = ("id",)

    @classmethod
    def perform_mutate(cls, form: DeleteForm, info: graphene.ResolveInfo) -> Any:
        patient: Patient = form.instance
        pk = patient.pk
        history.write([history.deleted(history.author_of(info.context), patient)])
        patient.delete()
        patient.pk = pk  # Django takes it away, but the client needs to know who is gone
        return cls(errors=[], patient=patient)


class PatientMutations(graphene.ObjectType):
    """What can be done to patients."""

    create_patient = CreatePatientMutation.Field()
    update_patient = UpdatePatientMutation.Field()
    discharge_patient = DischargePatientMutation.Field()
    delete_patient = DeletePatientMutation.Field()
