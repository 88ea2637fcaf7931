"""Each row written in bulk is told of once, and nothing that was rolled back."""

import datetime

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from patients.models import Patient
from tests.patients.watching import CHANGED, Watch

pytestmark = pytest.mark.django_db(transaction=True)

LAST = "Last One"


@pytest.fixture
def make(categories):
    """Return a function that makes unsaved patients by their names."""

    def make(*names, **values):
        return [Patient(**{"name": n, "category": categories["I"], **values}) for n in names]

    return make


@pytest.fixture
def saved(make):
    """Three patients, registered before anybody watches."""
    return Patient.objects.bulk_create(make("Ann", "Ben", "Cid"))


@pytest.fixture
def end(make):
    """Return a function that makes the event that ends a Watch of new or changed patients."""
    (patient,) = make("To Be The Last")
    patient.save()

    def end(query_is_of_new=False):
        if query_is_of_new:
            make(LAST)[0].save()
        else:
            patient.name = LAST
            patient.save()
        return LAST

    return end


def told(watch, end):
    """Return (change, name) for everything that `watch` was told, in order."""
    return [(e["change"], e["patient"]["name"]) for e in watch.until(end())]


def test_bulk_create_announces_each_row_once_in_order(nurse, make, end):
    with Watch(nurse) as watch:
        Patient.objects.bulk_create(make("Ann", "Ben", "Cid"), batch_size=2)
        assert watch.names_until(end(query_is_of_new=True)) == ["Ann", "Ben", "Cid"]


def test_a_rolled_back_bulk_create_announces_none(nurse, make, end):
    with Watch(nurse) as watch:
        with pytest.raises(IntegrityError):
            Patient.objects.bulk_create(make("Ann", "Ben", external_id="same"))
        assert watch.names_until(end(query_is_of_new=True)) == []


def test_bulk_create_refuses_to_ignore_conflicts(make):
    for options in ({"ignore_conflicts": True}, {"update_conflicts": True}):
        with pytest.raises(ValueError, match="conflict"):
            Patient.objects.bulk_create(make("Ann"), **options)
    assert not Patient.objects.exists()


def test_bulk_update_announces_each_changed_row_once(nurse, saved, end):
    ann, ben, cid = saved
    ann.reason, ben.reason = "Cough", "Fever"
    with Watch(nurse, CHANGED) as watch:
        Patient.objects.bulk_update([ann, ben, cid], ["reason"])
        assert told(watch, end) == [("UPDATED", "Ann"), ("UPDATED", "Ben")]


def test_bulk_update_does_not_tell_what_it_does_not_write(nurse, saved, end):
    ann, ben, _ = saved
    ann.name, ann.reason = "Not Written", "Cough"
    ben.name = "Not Written Either"
    with Watch(nurse, CHANGED) as watch:
        Patient.objects.bulk_update([ann, ben], ["reason"])
        assert told(watch, end) == [("UPDATED", "Ann")]


def test_bulk_update_tells_nothing_of_a_patient_who_is_gone(nurse, saved, end):
    ann, ben, _ = saved
    Patient.objects.filter(pk=ann.pk).delete()
    ann.reason = ben.reason = "Cough"
    with Watch(nurse, CHANGED) as watch:
        Patient.objects.bulk_update([ann, ben], ["reason"])
        assert told(watch, end) == [("UPDATED", "Ben")]


def test_update_announces_each_changed_row_once(nurse, saved, end):
    Patient.objects.filter(name="Ben").update(reason="Cough")
    with Watch(nurse, CHANGED) as watch:
        assert Patient.objects.filter(pk__in=[p.pk for p in saved]).update(reason="Cough") == 3
        assert told(watch, end) == [("UPDATED", "Ann"), ("UPDATED", "Cid")]


def test_update_that_changes_what_it_selects_by_announces_all(nurse, saved, end):
    values = {"status": "discharged", "discharged_at": timezone.now()}
    with Watch(nurse, CHANGED) as watch:
        Patient.objects.filter(status="admitted", name__in=["Ann", "Cid"]).update(**values)
        assert told(watch, end) == [("DISCHARGED", "Ann"), ("DISCHARGED", "Cid")]


def test_update_of_selected_values_announces_too(nurse, saved, end):
    with Watch(nurse, CHANGED) as watch:
        Patient.objects.filter(name="Ann").only("name").update(reason="Cough")
        Patient.objects.filter(name="Ben").values("id").update(reason="Cough")
        assert told(watch, end) == [("UPDATED", "Ann"), ("UPDATED", "Ben")]


def test_a_rolled_back_update_announces_none(nurse, saved, end):
    with Watch(nurse, CHANGED) as watch:
        with pytest.raises(IntegrityError):
            Patient.objects.update(status="discharged")
        with transaction.atomic():
            Patient.objects.update(reason="Cough")
            saved[0].reason = "Fever"
            Patient.objects.bulk_update(saved, ["reason"])
            transaction.set_rollback(True)
        assert told(watch, end) == []


def test_bulk_writes_take_the_birth_of_a_day_after_the_last_write(saved):
    before = timezone.localdate() - datetime.timedelta(days=9)
    Patient.objects.filter(pk=saved[0].pk).update(recorded_on=before)
    yesterday = timezone.localdate() - datetime.timedelta(days=1)
    saved[0].birth_date = yesterday
    Patient.objects.bulk_update(saved[:1], ["birth_date"])
    Patient.objects.filter(pk=saved[0].pk).update(recorded_on=before, birth_date=None)
    Patient.objects.filter(pk=saved[0].pk).update(birth_date=yesterday)
    assert Patient.objects.get(pk=saved[0].pk).birth_date == yesterday


def test_a_save_that_changes_nothing_tells_nobody(nurse, saved, end):
    with Watch(nurse, CHANGED) as watch:
        saved[0].save()
        assert told(watch, end) == []


def test_a_save_repeated_after_a_rollback_is_told(nurse, saved, end):
    ann = saved[0]
    with Watch(nurse, CHANGED) as watch:
        ann.reason = "Cough"
        with transaction.atomic():
            ann.save()
            transaction.set_rollback(True)
        ann.save()
        assert told(watch, end) == [("UPDATED", "Ann")]


def test_a_save_of_a_stale_object_is_told_when_it_undoes_a_change(nurse, saved, end):
    stale = Patient.objects.get(pk=saved[0].pk)
    Patient.objects.filter(pk=stale.pk).update(reason="Cough")
    with Watch(nurse, CHANGED) as watch:
        stale.save()
        assert told(watch, end) == [("UPDATED", "Ann")]


def test_a_save_of_some_fields_tells_of_those_and_later_of_the_others(nurse, saved, end):
    ann = saved[0]
    ann.name, ann.reason = "Anna", "Cough"
    with Watch(nurse, CHANGED) as watch:
        ann.save(update_fields=["reason"])
        ann.save()
        assert told(watch, end) == [("UPDATED", "Ann"), ("UPDATED", "Anna")]


def test_a_change_of_category_is_told_to_both_categories(nurse, saved, categories, end):
    by_category = 'subscription {{ onPatientChanged(category: "{}") {{ patient {{ name }} }} }}'
    with (
        Watch(nurse, by_category.format("I")) as former,
        Watch(nurse, by_category.format("II")) as present,
    ):
        Patient.objects.filter(name="Ann").update(category=categories["II"])
        moved = Patient.objects.get(name="Ben")
        moved.category = categories["II"]
        moved.save()
        last = Patient.objects.get(name="Cid")
        last.name, last.category = LAST, categories["II"]
        Patient.objects.bulk_update([last], ["name", "category"])
        assert former.names_until(LAST) == ["Ann", "Ben"]
        assert present.names_until(LAST) == ["Ann", "Ben"]


WITH_TIMES = "subscription { onNewPatient { patient { name birthDate admittedAt } } }"


@pytest.mark.parametrize(
    "write", [Patient.save, lambda patient: type(patient).objects.bulk_create([patient])]
)
def test_what_was_given_as_a_string_is_told_as_what_was_stored(nurse, make, end, write):
    (patient,) = make("Ann", birth_date="1980-01-02", admitted_at="2026-01-02T03:04:05+02:00")
    with Watch(nurse, WITH_TIMES) as watch:
        write(patient)
        ((told,), stored) = watch.until(end(query_is_of_new=True)), Patient.objects.get(name="Ann")
    told = told["patient"]
    assert datetime.date.fromisoformat(told["birthDate"]) == stored.birth_date
    assert datetime.datetime.fromisoformat(told["admittedAt"]) == stored.admitted_at
