"""What queries answer: fields, pages, and refusals of ids and arguments that are none."""

import datetime

import pytest
from django.utils import timezone

from patients.models import Patient
from tests.patients.asking import ask, codes, data, id_of
from tests.patients.operations import MUTATIONS, OPERATIONS, QUERIES, rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def patient(categories):
    return Patient.objects.create(name="Ada", category=categories["I"], external_id="A-1")


def test_a_patients_fields(nurse, categories):
    discharged = timezone.now()
    patient = Patient.objects.create(
        name="Zoë",
        category=categories["I"],
        birth_date=datetime.date(1980, 2, 29),
        sex="other",
        reason="Test",
        external_id="Z-1",
        status="discharged",
        admitted_at=discharged - datetime.timedelta(hours=1),
        discharged_at=discharged,
    )
    query = """query ($id: ID!) { patient(id: $id) {
      id name birthDate sex reason status admittedAt dischargedAt externalId
      category { code name blockRange } } }"""
    assert data(nurse, query, id=id_of(patient))["patient"] == {
        "id": id_of(patient),
        "name": "Zoë",
        "birthDate": "1980-02-29",
        "sex": "OTHER",
        "reason": "Test",
        "status": "DISCHARGED",
        "admittedAt": patient.admitted_at.isoformat(),
        "dischargedAt": discharged.isoformat(),
        "externalId": "Z-1",
        "category": {
            "code": "I",
            "name": categories["I"].name,
            "blockRange": categories["I"].block_range,
        },
    }


def test_pages_neither_repeat_nor_skip(nurse, categories):
    now = timezone.now()
    Patient.objects.bulk_create(
        Patient(name=f"P{n}", category=categories["I"], admitted_at=now) for n in range(5)
    )
    query = """query ($after: String) { patients(first: 2, after: $after) {
      totalCount edges { node { name } } pageInfo { hasNextPage endCursor } } }"""
    names, after = [], None
    while True:
        page = data(nurse, query, after=after)["patients"]
        assert page["totalCount"] == 5
        names += [edge["node"]["name"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert names == ["P4", "P3", "P2", "P1", "P0"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ('category: "I"', ["Cy", "Ada Lovelace"]),
        ("status: DISCHARGED", ["Cy"]),
        ('search: "love ADA"', ["Ada Lovelace"]),
        ('search: "fever"', ["Bo"]),
        ('search: "b-1"', ["Bo"]),
        ('search: "%"', []),
        ('search: "_"', []),
        ('search: ""', ["Cy", "Bo", "Ada Lovelace"]),
        ('category: "I", status: ADMITTED, search: "a"', ["Ada Lovelace"]),
        ("last: 1", ["Ada Lovelace"]),
    ],
)
def test_a_list_shows_what_was_asked_for(nurse, categories, arguments, names):
    one, two = categories["I"], categories["II"]
    Patient.objects.create(name="Ada Lovelace", category=one)
    Patient.objects.create(name="Bo", category=two, reason="Fever", external_id="B-1")
    now = timezone.now() + datetime.timedelta(seconds=1)
    out = {"status": "discharged", "admitted_at": now, "discharged_at": now}
    Patient.objects.create(name="Cy", category=one, **out)
    query = f"{{ patients({arguments}) {{ edges {{ node {{ name }} }} }} }}"
    edges = data(nurse, query)["patients"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == names


@pytest.mark.parametrize(
    "arguments",
    [
        "first: -1",
        "last: -1",
        "offset: -1",
        'offset: 1, before: "YXJyYXljb25uZWN0aW9uOjU="',
        "first: 101",
        'after: "nonsense"',
        'before: "nonsense"',
        'category: "none"',
        'search: "\\u0000"',
        "status: DEAD",
        "first: 1.5",
        "search: 1",
    ],
)
def test_a_list_that_cannot_be_made_is_bad_input(nurse, arguments):
    answer = ask(nurse, f"{{ patients({arguments}) {{ totalCount }} }}")
    assert set(codes(answer)) == {"BAD_INPUT"}


BAD_IDS = [
    "",
    "1",
    "UGF0aWVudA==",
    "UGF0aWVudDpY",
    "VXNlcjox",
    "é",
    "\0",
    "===",
    "UGF0aWVudDrDqQ==",
]
HUGE_IDS = ["UGF0aWVudDotMQ==", id_of(2**63), id_of(10**30), id_of("9" * 4000), id_of("9" * 5000)]


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize("field", ["patient", "updatePatient", "dischargePatient", "deletePatient"])
def test_an_id_that_is_none_of_a_patient_is_bad_input(doctor, patient, field, bad):
    before = rows()
    assert codes(ask(doctor, OPERATIONS[field][1], id=bad)) == ["BAD_INPUT"]
    assert rows() == before


@pytest.mark.parametrize("number", HUGE_IDS, ids=range(len(HUGE_IDS)))
def test_an_id_that_no_row_can_have_finds_nothing(doctor, number):
    for field in ("patient", "node"):
        answer = ask(doctor, QUERIES[field][1], id=number)
        assert codes(answer) in ([], ["BAD_INPUT"])
        assert answer["data"] == {field: None}, answer
    for field in ("updatePatient", "dischargePatient", "deletePatient"):
        answer = ask(doctor, MUTATIONS[field][1], id=number)
        assert codes(answer) in (["NOT_FOUND"], ["BAD_INPUT"])


@pytest.mark.parametrize("bad", BAD_IDS)
def test_a_node_id_that_is_none_is_refused(doctor, bad):
    answer = ask(doctor, QUERIES["node"][1], id=bad)
    assert codes(answer) in ([], ["BAD_INPUT"])
    assert not answer.get("data") or answer["data"]["node"] is None
