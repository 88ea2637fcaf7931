"""Who does not see a patient or a category changes nothing there."""

import pytest

from patients.models import Patient
from tests.patients.asking import ask, codes, data, id_of

pytestmark = pytest.mark.django_db(transaction=True)

MUTATIONS = {
    "updatePatient": ("UpdatePatientMutationInput", {"name": "Renamed"}),
    "dischargePatient": ("DischargePatientMutationInput", {}),
    "deletePatient": ("DeletePatientMutationInput", {}),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_finds_no_more_than_one_that_does_not_exist(doctor, hidden, mutation):
    kind, values = MUTATIONS[mutation]
    query = f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ patient {{ id }} }} }}"
    before = Patient.objects.values().get()
    refused = ask(doctor, query, input={"id": id_of(hidden), **values})
    assert codes(refused) == ["NOT_FOUND"]
    assert refused == ask(doctor, query, input={"id": id_of(99_999), **values})
    assert Patient.objects.values().get() == before


def test_nobody_is_admitted_under_a_category_they_do_not_see(doctor, hidden):
    query = """mutation ($category: String!) {
      createPatient(input: {name: "New", category: $category}) {
        patient { id } errors { field messages }
      }
    }"""
    restricted, unknown = (data(doctor, query, category=code) for code in ("II", "none"))
    assert restricted == unknown
    assert restricted["createPatient"] == {
        "patient": None,
        "errors": [{"field": "category", "messages": ["There is no such disease category."]}],
    }
    assert not Patient.objects.filter(name="New").exists()


def test_nobody_is_moved_to_a_category_that_the_user_does_not_see(doctor, hidden, open_patient):
    query = """mutation ($id: ID!) {
      updatePatient(input: {id: $id, category: "II"}) { patient { id } errors { field messages } }
    }"""
    answer = data(doctor, query, id=id_of(open_patient))["updatePatient"]
    assert [error["field"] for error in answer["errors"]] == ["category"]
    open_patient.refresh_from_db()
    assert open_patient.category.code == "I"


def test_the_external_id_of_a_hidden_patient_is_taken_all_the_same(doctor, hidden):
    """What a unique number cannot hide: that it is in use. Documented in docs/security.md."""
    query = """mutation {
      createPatient(input: {name: "New", category: "I", externalId: "H-1"}) {
        errors { field messages }
      }
    }"""
    answer = str(data(doctor, query))
    assert "Another patient has this external id." in answer
    assert "Jane" not in answer
