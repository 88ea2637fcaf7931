"""Bad input over mutations is named, and writes nothing."""

import pytest

from patients.models import Patient
from tests.patients.asking import ask, codes, data, id_of
from tests.patients.operations import MUTATIONS, rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def patient(categories):
    return Patient.objects.create(name="Ada", category=categories["I"], external_id="A-1")


BAD_VALUES = {
    "a blank name": ({"name": " \t\u00a0"}, "name"),
    "an empty name": ({"name": ""}, "name"),
    "a name that is too long": ({"name": "x" * 201}, "name"),
    "a NUL in the name": ({"name": "A\0b"}, "name"),
    "an unknown category": ({"category": "XXIII"}, "category"),
    "an empty category": ({"category": ""}, "category"),
    "a NUL in the category": ({"category": "I\0"}, "category"),
    "a birth in the future": ({"birthDate": "2999-01-01"}, "birthDate"),
    "another sex": ({"sex": "x"}, "sex"),
    "a reason that is too long": ({"reason": "x" * 501}, "reason"),
    "a NUL in the reason": ({"reason": "\0"}, "reason"),
    "an external id that is taken": ({"externalId": "TAKEN"}, None),
    "an external id that is too long": ({"externalId": "x" * 101}, "externalId"),
}
# What GraphQL itself refuses, before any form sees it.
WRONG_TYPES = {
    "a number for a name": {"name": 1},
    "no date": {"birthDate": "yesterday"},
    "a day that is none": {"birthDate": "2023-02-30"},
    "null for a name": {"name": None, "unknown": 1},
    "an unknown field": {"admittedAt": "2020-01-01"},
    "half a surrogate pair": {"name": "\ud800"},
}


@pytest.fixture
def taken(patient):
    return Patient.objects.create(name="Taken", category=patient.category, external_id="TAKEN")


def write(user, patient, values):
    """Create with, or change `patient` to, values; return the response and the field's name."""
    field = "updatePatient" if patient else "createPatient"
    kind = f"{field[0].upper()}{field[1:]}MutationInput"
    base = {"id": id_of(patient)} if patient else {"name": "New", "category": "I"}
    query = f"""mutation ($input: {kind}!) {{ result: {field}(input: $input) {{
      patient {{ name }} errors {{ field messages }} }} }}"""
    return ask(user, query, input={**base, **values})


@pytest.mark.parametrize("case", BAD_VALUES)
@pytest.mark.parametrize("mutation", ["create", "update"])
def test_bad_input_is_named_by_field_and_writes_nothing(doctor, patient, taken, mutation, case):
    values, field = BAD_VALUES[case]
    before = rows()
    response = write(doctor, patient if mutation == "update" else None, values)
    assert "errors" not in response, response
    result = response["data"]["result"]
    assert result["patient"] is None
    fields = [error["field"] for error in result["errors"]]
    assert fields == ([field] if field else fields[:1])
    assert all(message for error in result["errors"] for message in error["messages"])
    assert rows() == before


@pytest.mark.parametrize("case", WRONG_TYPES)
@pytest.mark.parametrize("mutation", ["create", "update"])
def test_input_of_a_wrong_type_is_refused_and_writes_nothing(doctor, patient, mutation, case):
    before = rows()
    response = write(doctor, patient if mutation == "update" else None, WRONG_TYPES[case])
    assert set(codes(response)) == {"BAD_INPUT"}
    assert rows() == before


def test_all_that_is_wrong_is_named_at_once(doctor):
    response = write(doctor, None, {"name": "", "category": "none", "sex": "x"})
    errors = response["data"]["result"]["errors"]
    assert {error["field"] for error in errors} == {"name", "category", "sex"}


def test_a_second_discharge_is_refused(doctor, patient):
    query = MUTATIONS["dischargePatient"][1]
    assert data(doctor, query, id=id_of(patient))["dischargePatient"]["errors"] == []
    before = rows()
    answer = data(doctor, query, id=id_of(patient))["dischargePatient"]
    assert answer["patient"] is None
    assert answer["errors"][0]["messages"] == ["The patient is already discharged."]
    assert rows() == before


@pytest.mark.parametrize("at", ["1999-01-01T00:00:00Z", "1999-01-01"])
def test_a_discharge_before_the_admission_is_refused(doctor, patient, at):
    before = rows()
    response = ask(
        doctor,
        """mutation ($input: DischargePatientMutationInput!) { dischargePatient(input: $input) {
          patient { name } errors { field messages } } }""",
        input={"id": id_of(patient), "dischargedAt": at},
    )
    if "errors" not in response:
        answer = response["data"]["dischargePatient"]
        assert answer["patient"] is None
        assert [error["field"] for error in answer["errors"]] == ["dischargedAt"]
    else:
        assert set(codes(response)) == {"BAD_INPUT"}
    assert rows() == before


def test_an_update_leaves_what_is_not_given(doctor, patient):
    before = rows()[0]
    assert data(doctor, MUTATIONS["updatePatient"][1], id=id_of(patient))
    after = rows()[0]
    assert after.pop("name") == "Changed"
    before.pop("name")
    assert after == before


def test_of_two_mutations_in_a_document_a_refused_one_leaves_the_other(doctor, patient):
    query = """mutation {
      good: createPatient(input: {name: "Good", category: "I"}) { errors { field } }
      bad: createPatient(input: {name: "", category: "I"}) { errors { field } }
    }"""
    answer = data(doctor, query)
    assert answer["good"]["errors"] == []
    assert [error["field"] for error in answer["bad"]["errors"]] == ["name"]
    assert [row["name"] for row in rows()] == ["Ada", "Good"]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_beyond_the_end_of_times_is_named(doctor, patient, at):
    query = """mutation ($input: DischargePatientMutationInput!) {
      dischargePatient(input: $input) { patient { status } errors { field messages } } }"""
    values = {"id": id_of(patient), "dischargedAt": at}
    payload = data(doctor, query, input=values)["dischargePatient"]
    assert [error["field"] for error in payload["errors"]] == ["dischargedAt"]
    patient.refresh_from_db()
    assert patient.discharged_at is None
