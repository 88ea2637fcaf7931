"""What a patient cannot be: the database refuses it, and so does every form before it."""

import datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.forms import modelform_factory
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patients.forms import PatientForm
from patients.models import Patient

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
# Two years ahead: it is in the future for as long as the tests run.
IN_THE_FUTURE = timezone.localdate() + datetime.timedelta(days=730)
# A tab, a no-break space, an ideographic space: str.strip() takes them all away.
BLANKS = ["", "   ", "\t\n", "\u00a0", "\u3000 \u2003"]

WRONG = {
    **{f"blank name {blank!r}": ({"name": blank}, "name") for blank in BLANKS},
    "birth in the future": ({"birth_date": IN_THE_FUTURE}, "birth_date"),
    "no administrative gender": ({"sex": "m"}, "sex"),
    "no status": ({"status": "away"}, "status"),
    "discharged without a time": ({"status": "discharged"}, None),
    "admitted with a time of discharge": ({"discharged_at": NOW}, None),
    "discharge before admission": (
        {
            "status": "discharged",
            "admitted_at": NOW,
            "discharged_at": NOW - datetime.timedelta(seconds=1),
        },
        "discharged_at",
    ),
    "external id twice": ({"external_id": "taken"}, None),
}

AdminForm = modelform_factory(Patient, exclude=())


@pytest.fixture
def values(categories):
    """What a sound patient has; another one has the external id "taken"."""
    Patient.objects.create(name="Other", category=categories["I"], external_id="taken")
    return {
        "name": "Ann",
        "category": categories["I"],
        "birth_date": timezone.localdate(),
        "sex": "female",
        "status": "admitted",
        "admitted_at": NOW,
    }


@pytest.fixture(params=WRONG.values(), ids=WRONG.keys())
def wrong(request):
    """One thing at a time that a patient cannot be: (values, the field at fault)."""
    return request.param


def test_the_database_takes_a_sound_patient(values):
    (ann,) = Patient.objects.bulk_create([Patient(**values)])
    Patient.objects.filter(pk=ann.pk).update(
        status="discharged", discharged_at=NOW, external_id="free", name="  Ann  "
    )
    assert Patient.objects.get(pk=ann.pk).discharged_at == NOW


def test_bulk_create_is_refused_by_the_database(values, wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        Patient.objects.bulk_create([Patient(**{**values, **wrong[0]})])
    assert Patient.objects.count() == 1


def test_update_is_refused_by_the_database(values, wrong):
    (ann,) = Patient.objects.bulk_create([Patient(**values)])
    with pytest.raises(IntegrityError), transaction.atomic():
        Patient.objects.filter(pk=ann.pk).update(**wrong[0])
    assert Patient.objects.filter(pk=ann.pk, **values).exists()


def test_bulk_update_is_refused_by_the_database(values, wrong):
    (ann,) = Patient.objects.bulk_create([Patient(**values)])
    for name, value in wrong[0].items():
        setattr(ann, name, value)
    with pytest.raises(IntegrityError), transaction.atomic():
        Patient.objects.bulk_update([ann], list(wrong[0]))
    assert Patient.objects.filter(pk=ann.pk, **values).exists()


def test_a_form_refuses_it_and_names_the_field(values, wrong):
    overrides, field = wrong
    form = AdminForm({**values, **overrides})
    assert not form.is_valid()
    assert field is None or field in form.errors
    assert len(form.errors) == 1


def test_a_form_takes_a_sound_patient(values):
    form = AdminForm(values)
    assert form.is_valid(), form.errors


def test_full_clean_refuses_it(values, wrong):
    with pytest.raises(ValidationError):
        Patient(**{**values, **wrong[0]}).full_clean()


# Texts and times on both sides of each rule.
PATIENTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Ann", *BLANKS]),
        "birth_date": st.sampled_from([None, NOW.date(), IN_THE_FUTURE]),
        "sex": st.sampled_from([*Patient.Sex.values, "m", ""]),
        "status": st.sampled_from([*Patient.Status.values, "away"]),
        "admitted_at": st.just(NOW),
        "discharged_at": st.sampled_from([None, NOW, NOW - datetime.timedelta(seconds=1)]),
        "external_id": st.sampled_from(["", "taken", "free"]),
    },
)
FIELDS = [field.name for field in Patient._meta.concrete_fields]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(overrides=PATIENTS, exclude=st.sets(st.sampled_from(FIELDS)))
def test_the_constraints_checked_in_memory_are_the_databases(values, overrides, exclude):
    patient = Patient(**{**values, "recorded_on": NOW.date(), **overrides})
    asked = errors_of(lambda: Model.validate_constraints(patient, exclude=exclude))
    assert errors_of(lambda: patient.validate_constraints(exclude=exclude)) == asked


def test_an_external_id_of_its_own_is_no_other_patients(values):
    taken = Patient.objects.get(external_id="taken")
    taken.validate_constraints()


def test_a_category_that_is_gone_is_refused(values, categories):
    with pytest.raises(ValidationError) as refused:
        Patient(**{**values, "category": None, "category_id": 0}).full_clean()
    assert "category" in refused.value.message_dict


def errors_of(check):
    """Return what `check` finds wrong."""
    try:
        check()
    except ValidationError as error:
        return error.message_dict
    return {}


@pytest.mark.parametrize(
    "field_and_value",
    [*(("name", blank) for blank in BLANKS), ("birth_date", IN_THE_FUTURE), ("sex", "m")],
    ids=repr,
)
def test_the_mutations_form_refuses_it(values, field_and_value):
    field, value = field_and_value
    form = PatientForm({**values, "category": "I", field: value})
    assert list(form.errors) == [field]


def test_the_mutations_form_refuses_an_external_id_twice(values):
    form = PatientForm({**values, "category": "I", "external_id": "taken"})
    assert not form.is_valid()


def test_many_patients_may_have_no_external_id(values):
    Patient.objects.bulk_create(Patient(**values) for _ in range(3))
    assert Patient.objects.filter(external_id="").count() == 3


def test_the_name_is_stripped_by_a_form(values):
    form = AdminForm({**values, "name": " \u00a0Ann\t"})
    assert form.is_valid()
    assert form.instance.name == "Ann"


def test_a_birth_after_the_last_write_is_no_birth_in_the_future(values):
    """The check compares with the day of writing: an old row's may not stay as it was."""
    ann = Patient.objects.create(**{**values, "birth_date": None})
    long_ago = timezone.localdate() - datetime.timedelta(days=30)
    Patient.objects.filter(pk=ann.pk).update(recorded_on=long_ago)
    ann = Patient.objects.get(pk=ann.pk)
    ann.birth_date = timezone.localdate()
    ann.full_clean()
    ann.recorded_on = long_ago
    ann.save(update_fields=["birth_date"])
    ann.refresh_from_db()
    assert ann.birth_date == ann.recorded_on == timezone.localdate()


def test_a_category_with_patients_cannot_be_deleted(values, categories):
    from django.db.models import ProtectedError

    with pytest.raises(ProtectedError):
        categories["I"].delete()
