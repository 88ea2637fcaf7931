"""Who may run what of the domain's schema, and what bad input does: nothing."""

import datetime

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from patients.models import DiseaseCategory, Patient
from server.asgi import application
from server.schema import schema
from tests.conftest import make_user
from tests.live.wire import SUBPROTOCOLS, Wire
from tests.patients.asking import ask, codes, data, id_of

pytestmark = pytest.mark.django_db(transaction=True)

# Every root field, with the one permission that it needs (None: nobody has to be logged in).
QUERIES = {
    "me": (None, "{ me { username } }"),
    "diseaseCategories": ("view", "{ diseaseCategories { code name blockRange } }"),
    "patient": ("view", "query ($id: ID!) { patient(id: $id) { name } }"),
    "patients": ("view", "{ patients { totalCount edges { node { name } } } }"),
    "node": ("view", "query ($id: ID!) { node(id: $id) { id } }"),
}
MUTATIONS = {
    "login": (None, 'mutation { login(username: "x", password: "x") { ok } }'),
    "logout": (None, "mutation { logout { ok } }"),
    "createPatient": (
        "add",
        """mutation { createPatient(input: {name: "New", category: "I"}) {
             patient { name } errors { field messages } } }""",
    ),
    "updatePatient": (
        "change",
        """mutation ($id: ID!) { updatePatient(input: {id: $id, name: "Changed"}) {
             patient { name } errors { field messages } } }""",
    ),
    "dischargePatient": (
        "change",
        """mutation ($id: ID!) { dischargePatient(input: {id: $id}) {
             patient { status } errors { field messages } } }""",
    ),
    "deletePatient": (
        "delete",
        """mutation ($id: ID!) { deletePatient(input: {id: $id}) {
             patient { name } errors { field messages } } }""",
    ),
}
SUBSCRIPTIONS = {
    "onNewPatient": ("view", "subscription { onNewPatient { message } }"),
    "onPatientChanged": (
        "view",
        "subscription ($id: ID) { onPatientChanged(id: $id) { change } }",
    ),
}
# Those of the rooms and notices are another app's; imports need two permissions, and staff.
# They are tested there.
OTHERS = {
    *("importRun", "uploadImportFile", "importPatients", "onImportProgress"),
    *("position", "history", "notices", "sendChatMessage", "publishNotice"),
    *("onNewChatMessage", "onNoticePublished", "presence", "onPresence"),
}
OPERATIONS = {**QUERIES, **MUTATIONS}
RIGHTS = {
    "anonymous": set(),
    "visitor": set(),
    "nurse": {"view"},
    "doctor": {"view", "add", "change", "delete"},
}


@pytest.fixture
def patient(categories):
    return Patient.objects.create(name="Ada", category=categories["I"], external_id="A-1")


@pytest.fixture
def people(doctor, nurse, visitor):
    return {"anonymous": None, "visitor": visitor, "nurse": nurse, "doctor": doctor}


def verdict(who, permission):
    """Return the codes that `who` gets from an operation that needs `permission`."""
    if permission is None or permission in RIGHTS[who]:
        return []
    return ["UNAUTHENTICATED"] if who == "anonymous" else ["FORBIDDEN"]


def rows():
    return list(Patient.objects.order_by("pk").values())


def test_no_field_of_the_schema_is_forgotten():
    kinds = schema.graphql_schema
    roots = (kinds.query_type, kinds.mutation_type, kinds.subscription_type)
    fields = {name for kind in roots for name in kind.fields}
    assert fields - OTHERS == {*OPERATIONS, *SUBSCRIPTIONS}


@pytest.mark.parametrize("who", RIGHTS)
@pytest.mark.parametrize("field", OPERATIONS)
def test_who_may_run_an_operation(people, patient, who, field):
    permission, query = OPERATIONS[field]
    before = rows()
    response = ask(people[who], query, **({"id": id_of(patient)} if "$id" in query else {}))
    assert codes(response) == verdict(who, permission)
    if codes(response):
        assert not response.get("data") or response["data"][field] is None
        assert "Ada" not in str(response)
        assert rows() == before
    elif field in MUTATIONS and permission:
        assert response["data"][field]["errors"] == []
        assert rows() != before


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize("field", SUBSCRIPTIONS)
async def test_who_may_subscribe(people, field, subprotocol):
    permission, query = SUBSCRIPTIONS[field]
    consumer = schema_consumer()
    for who, user in people.items():
        async with Wire(consumer, user or AnonymousUser(), subprotocol) as wire:
            assert await wire.subscribe(query) == verdict(who, permission), who


def schema_consumer():
    from server.asgi import Consumer

    return Consumer.as_asgi()


async def test_a_subscription_asks_for_no_more_than_view(nurse):
    async with Wire(schema_consumer(), nurse) as wire:
        for number, (_, query) in enumerate(SUBSCRIPTIONS.values()):
            assert await wire.subscribe(query, str(number)) == []


def test_adding_needs_no_right_to_view_but_shows_only_what_was_added():
    clerk = make_user("clerk", "add_patient")
    answer = ask(clerk, MUTATIONS["createPatient"][1])
    # The form offers categories, which are for those who may view.
    assert codes(answer) == ["FORBIDDEN"]
    assert not Patient.objects.exists()


@pytest.mark.parametrize("verb", ["change", "delete"])
def test_writing_without_viewing_finds_nobody(patient, verb):
    clerk = make_user("clerk", f"{verb}_patient")
    field = "updatePatient" if verb == "change" else "deletePatient"
    assert codes(ask(clerk, MUTATIONS[field][1], id=id_of(patient))) == ["FORBIDDEN"]
    assert rows()[0]["name"] == "Ada"


@pytest.mark.parametrize("verb", ["view", "add", "change"])
def test_deleting_needs_its_own_permission(patient, verb):
    almost = make_user("almost", "view_patient", "add_patient", "change_patient")
    query = MUTATIONS["deletePatient"][1]
    assert codes(ask(almost, query, id=id_of(patient))) == ["FORBIDDEN"]
    assert Patient.objects.exists()


def test_half_a_surrogate_is_no_text(doctor):
    query = "query ($s: String, $c: String) { patients(search: $s, category: $c) { totalCount } }"
    assert codes(ask(doctor, query, s="\ud800")) == ["BAD_INPUT"]
    assert codes(ask(doctor, query, c="\ud800")) == ["BAD_INPUT"]


@pytest.mark.parametrize("code", ["\0", "\ud800", "", "x" * 100_000])
async def test_a_category_that_is_none_is_refused(nurse, code):
    query = "subscription ($category: String) { onNewPatient(category: $category) { message } }"
    async with Wire(schema_consumer(), nurse) as wire:
        assert await wire.subscribe(query, category=code) == ["BAD_INPUT"]


def test_an_inactive_user_is_nobody(nurse):
    User.objects.filter(pk=nurse.pk).update(is_active=False)
    assert codes(ask(nurse, QUERIES["patients"][1])) == ["UNAUTHENTICATED"]


async def test_an_unknown_path_opens_no_socket():
    from channels.testing import WebsocketCommunicator

    headers = [(b"host", b"testserver")]
    other = WebsocketCommunicator(application, "/other/", headers, ["graphql-ws"])
    connected, _ = await other.connect()
    assert not connected


# ---- answers


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


# ---- bad input over mutations

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


def test_no_type_shows_more_than_it_should():
    """A column that is added to a model is not at once everybody's to read."""
    types = schema.graphql_schema.type_map
    assert set(types["Patient"].fields) == {
        *("id", "name", "birthDate", "sex", "reason", "status", "admittedAt", "dischargedAt"),
        *("externalId", "category"),
    }
    assert set(types["DiseaseCategory"].fields) == {"code", "name", "blockRange"}
    assert set(types["User"].fields) == {"username", "firstName", "lastName", "isStaff"}
    assert DiseaseCategory._meta.get_field("viewers")
