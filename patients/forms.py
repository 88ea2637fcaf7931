"""The forms behind the mutations: what a client may write, and how it is checked."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from graphene import String
from graphene_django.forms.converter import convert_form_field

from patients import selectors
from patients.models import DiseaseCategory, Patient


class CategoryCodeField(forms.ModelChoiceField):
    """A disease category, given by its code."""

    default_error_messages = {"invalid_choice": _("There is no such disease category.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(DiseaseCategory.objects.all(), to_field_name="code", **kwargs)


@convert_form_field.register(CategoryCodeField)
def convert_category_code(field: CategoryCodeField) -> String:
    """Give it GraphQL's String, as every other argument that takes a code has it."""
    return String(description="A disease category's code.", required=field.required)


class SexField(forms.ChoiceField):
    """FHIR's administrative gender, in either case: GraphQL's enum shows FHIR's code upper."""

    default_error_messages = {
        "invalid_choice": _("Not an administrative gender: male, female, other or unknown.")
    }

    def to_python(self, value: Any) -> str:
        return super().to_python(value).lower()


class PatientForm(forms.ModelForm):
    """Register a patient, or change one."""

    category = CategoryCodeField()
    sex = SexField(
        choices=Patient.Sex.choices, required=False, help_text="FHIR's administrative gender."
    )

    class Meta:
        model = Patient
        fields = ("name", "category", "birth_date", "sex", "reason", "external_id")

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        """Offer the categories that `user` sees; to others nobody can be admitted by them."""
        super().__init__(*args, **kwargs)
        if user is not None:
            visible = selectors.categories_visible(user=user)
            cast(forms.ModelChoiceField, self.fields["category"]).queryset = visible

    def changed_fields(self) -> list[str]:
        """Return the names of the fields that differ from what they were, of a valid form."""
        now = forms.model_to_dict(self.instance, self.Meta.fields)
        return [name for name in now if now[name] != self.initial.get(name)]

    def clean_sex(self) -> str:
        """Without an answer it is not known, which FHIR has a code for."""
        return self.cleaned_data["sex"] or Patient.Sex.UNKNOWN

    @staticmethod
    def present_values(patient: Patient) -> dict[str, Any]:
        """Return a bound form's data that would change nothing about `patient`."""
        values = forms.model_to_dict(patient, PatientForm.Meta.fields)
        return {**values, "category": patient.category.code}


class PatientChangeForm(PatientForm):
    """Change a patient: every field may be left out, and then stays as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "category"):
            self.fields[name].required = self.is_bound


class UserlessForm(forms.ModelForm):
    """A form in which nothing depends on who fills it in."""

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class DischargeForm(UserlessForm):
    """Discharge a patient, now or at a given time."""

    class Meta:
        model = Patient
        fields = ("discharged_at",)

    def clean(self) -> dict[str, Any]:
        if self.instance.status == Patient.Status.DISCHARGED:
            raise ValidationError(_("The patient is already discharged."), code="discharged")
        return super().clean() or self.cleaned_data


class DeleteForm(UserlessForm):
    """Delete a patient: nothing to fill in."""

    class Meta:
        model = Patient
        fields = ()
