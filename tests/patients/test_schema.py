"""Who may run what of the domain's schema."""

import pytest
from django.contrib.auth.models import AnonymousUser, User

from patients.models import DiseaseCategory, Patient
from server.asgi import application
from server.schema import schema
from tests.conftest import make_user
from tests.live.wire import SUBPROTOCOLS, Wire
from tests.patients.asking import ask, codes, id_of
from tests.patients.operations import MUTATIONS, OPERATIONS, OTHERS, QUERIES, SUBSCRIPTIONS, rows

pytestmark = pytest.mark.django_db(transaction=True)

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
