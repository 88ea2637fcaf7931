"""Patients of a category that is restricted to groups without the user: nowhere to be seen."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db.models import ProtectedError
from django.test import AsyncClient, Client

from patients import selectors
from patients.models import DiseaseCategory, Patient
from patients.services import patient_discharge
from server.asgi import application
from tests.conftest import make_user
from tests.live.wire import Wire
from tests.patients.asking import ask, codes, data, id_of

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "subscription ($category: String) { onNewPatient(category: $category) { message } }"
CHANGED = """subscription ($id: ID, $category: String) {
  onPatientChanged(id: $id, category: $category) { change patient { name } }
}"""


@pytest.fixture
def insiders(categories):
    """The only group that sees category II."""
    group = Group.objects.create(name="insiders")
    categories["II"].viewers.add(group)
    return group


@pytest.fixture
def hidden(insiders, categories):
    """A patient whom insiders see only."""
    return Patient.objects.create(
        name="Hidden Jane", category=categories["II"], reason="secret", external_id="H-1"
    )


@pytest.fixture
def open_patient(categories):
    return Patient.objects.create(name="Open Joe", category=categories["I"], external_id="O-1")


@pytest.fixture
def insider(insiders):
    user = make_user("insider", *(f"{verb}_patient" for verb in ("view", "add", "change")))
    user.groups.add(insiders)
    return user


@pytest.fixture
def superuser():
    return make_user("root", is_superuser=True, is_staff=True)


def everything(user):
    """Return what `user` finds by every way of listing."""
    ways = {
        "all": "first: 10",
        "oldest": "last: 10",
        "byName": 'first: 10, search: "jane"',
        "byReason": 'first: 10, search: "secret"',
        "byNumber": 'first: 10, search: "H-1"',
        "admitted": "first: 10, status: ADMITTED",
    }
    lists = " ".join(
        f"{way}: patients({arguments}) {{ totalCount edges {{ node {{ name }} }} }}"
        for way, arguments in ways.items()
    )
    return data(user, f"{{ {lists} diseaseCategories {{ code }} }}")


def test_lists_searches_and_counts_leave_them_out(doctor, hidden, open_patient):
    found = everything(doctor)
    assert "II" not in {category["code"] for category in found.pop("diseaseCategories")}
    for way in ("all", "oldest", "admitted"):
        assert found[way]["totalCount"] == 1
        assert [edge["node"]["name"] for edge in found[way]["edges"]] == ["Open Joe"]
    for way in ("byName", "byReason", "byNumber"):
        assert found[way]["totalCount"] == 0
        assert found[way]["edges"] == []


@pytest.mark.parametrize("who", ["insider", "superuser"])
def test_insiders_and_superusers_see_them(request, who, hidden, open_patient):
    user = request.getfixturevalue(who)
    found = everything(user)
    assert "II" in {category["code"] for category in found.pop("diseaseCategories")}
    assert [found[way]["totalCount"] for way in found] == [2, 2, 1, 1, 1, 2]
    query = "query ($id: ID!) { patient(id: $id) { name } node(id: $id) { id } }"
    assert data(user, query, id=id_of(hidden)) == {
        "patient": {"name": "Hidden Jane"},
        "node": {"id": id_of(hidden)},
    }
    assert data(user, '{ patients(category: "II") { totalCount } }')["patients"]["totalCount"] == 1


def test_one_of_several_groups_is_enough(insider, categories, hidden):
    categories["II"].viewers.add(Group.objects.create(name="others"))
    assert selectors.hidden_categories(user=insider) == frozenset()


def test_an_empty_list_of_viewers_is_everybody(doctor, categories, insiders):
    assert selectors.hidden_categories(user=doctor) == {categories["II"].pk}
    categories["II"].viewers.clear()
    assert selectors.hidden_categories(user=doctor) == frozenset()


def test_rights_and_lists_agree_for_whoever_asks(doctor, insider, superuser, visitor, categories):
    inner, outer = (Group.objects.create(name=name) for name in ("inner", "outer"))
    categories["III"].viewers.set([inner, outer])
    categories["IV"].viewers.set([inner])
    doctor.groups.add(outer)
    hidden = {doctor: {"II", "IV"}, insider: {"III", "IV"}, superuser: set()}
    for user, codes_ in hidden.items():
        keys = {categories[code].pk for code in codes_}
        assert selectors.hidden_categories(user=user) == keys
        rights = selectors.viewing_rights(user)
        assert rights == (True, categories.keys() - codes_, keys)
        assert {c.code for c in selectors.categories_visible(user=user)} == rights.categories
    assert not selectors.viewing_rights(visitor).may_view


def test_rights_cost_a_query_more_only_where_something_is_restricted(
    doctor, insiders, categories, django_assert_num_queries
):
    def assert_costs(count):
        user = type(doctor).objects.get(pk=doctor.pk)  # without remembered permissions
        with django_assert_num_queries(count):
            selectors.viewing_rights(user)

    assert_costs(4)  # categories, own groups, own permissions, those of the groups
    categories["II"].viewers.clear()
    assert_costs(3)


@pytest.mark.parametrize(
    "delete",
    [
        lambda group: group.delete(),
        lambda group: Group.objects.filter(pk=group.pk).delete(),
        lambda group: Group.objects.all().delete(),
    ],
    ids=["one", "in bulk", "all at once"],
)
def test_the_last_groups_that_see_a_category_cannot_be_deleted(doctor, hidden, insiders, delete):
    with pytest.raises(ProtectedError):
        delete(insiders)
    assert Group.objects.filter(pk=insiders.pk).exists()
    assert everything(doctor)["all"]["totalCount"] == 0


def test_of_two_groups_that_see_a_category_only_one_can_be_deleted(hidden, insiders):
    other = Group.objects.create(name="other")
    hidden.category.viewers.add(other)
    with pytest.raises(ProtectedError):
        Group.objects.all().delete()
    insiders.delete()
    with pytest.raises(ProtectedError):
        other.delete()


@pytest.mark.parametrize("field", ["patient", "node"])
def test_an_id_finds_no_more_than_one_that_does_not_exist(doctor, hidden, field):
    query = f"query ($id: ID!) {{ found: {field}(id: $id) {{ id }} }}"
    assert ask(doctor, query, id=id_of(hidden)) == {"data": {"found": None}}
    assert ask(doctor, query, id=id_of(hidden)) == ask(doctor, query, id=id_of(99_999))


def test_a_category_that_is_restricted_is_one_that_does_not_exist(doctor, hidden):
    query = "query ($category: String) { patients(category: $category) { totalCount } }"
    restricted, unknown = (ask(doctor, query, category=code) for code in ("II", "none"))
    assert codes(restricted) == ["BAD_INPUT"]
    assert restricted == unknown


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


# ---- subscriptions


async def test_events_of_hidden_patients_reach_insiders_only(doctor, insider, hidden):
    async with SocketOf(doctor) as outside, SocketOf(insider) as inside:
        for wire in (outside, inside):
            assert await wire.subscribe(NEW, "new") == []
            assert await wire.subscribe(CHANGED, "changed") == []
            assert await wire.subscribe(CHANGED, "by id", id=id_of(hidden)) == []
        assert await inside.subscribe(NEW, "by category", category="II") == []
        await sync_to_async(change_all)(hidden)
        told = [event async for event in until_marker(inside)]
        assert told == [
            {"onNewPatient": {"message": "New patient added: Jill"}},
            {"onNewPatient": {"message": "New patient added: Jill"}},
            *[changed("UPDATED", "Jane Roe")] * 2,
            *[changed("DISCHARGED", "Jane Roe")] * 2,
            *[changed("DELETED", "Jane Roe")] * 2,
        ]
        assert [event async for event in until_marker(outside)] == []
        assert "Jane" not in "".join(outside.frames)
        assert "Jill" not in "".join(outside.frames)


async def test_a_patient_who_moves_into_a_hidden_category_is_gone(doctor, insiders, open_patient):
    def move():
        open_patient.category = DiseaseCategory.objects.get(code="II")
        open_patient.name = "Moved"
        open_patient.save()
        make_marker()

    async with SocketOf(doctor) as outside:
        assert await outside.subscribe(CHANGED, "1") == []
        assert await outside.subscribe(CHANGED, "2", category="I") == []
        assert await outside.subscribe(CHANGED, "3", id=id_of(open_patient)) == []
        assert await outside.subscribe(NEW, "4") == []
        await sync_to_async(move)()
        assert [event async for event in until_marker(outside)] == []


@pytest.mark.parametrize("query", [NEW, CHANGED])
async def test_a_subscription_to_a_hidden_category_is_refused(doctor, hidden, query):
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(query, category="II") == ["BAD_INPUT"]
        restricted = wire.frames[-2:]
        assert await wire.subscribe(query, category="none") == ["BAD_INPUT"]
        assert wire.frames[-2:] == restricted


async def test_a_subscription_to_a_hidden_patient_looks_like_one_to_nobody(doctor, hidden):
    async with SocketOf(doctor) as wire:
        assert await wire.subscribe(CHANGED, id=id_of(hidden)) == []
        existing = wire.frames[-1]
        await wire.send(type="complete", id="1")
        assert await wire.subscribe(CHANGED, id=id_of(99_999)) == []
        assert wire.frames[-1] == existing


class SocketOf:
    """A socket of the whole application, with a session of `user`."""

    def __init__(self, user):
        self._user = user

    async def __aenter__(self):
        client = AsyncClient()
        await client.aforce_login(self._user)
        cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
        self._wire = Wire(application, headers=((b"cookie", cookie),))
        return await self._wire.__aenter__()

    async def __aexit__(self, *exc):
        await self._wire.__aexit__(*exc)


def make_marker():
    category = DiseaseCategory.objects.get(code="IX")
    Patient.objects.create(name="Marker", category=category)


def change_all(patient):
    """Write in every way to patients of the hidden category, and mark the end."""
    Patient.objects.create(name="Jill", category=patient.category)
    patient.name = "Jane Roe"
    patient.save()
    patient_discharge(patient=patient)
    Patient.objects.get(pk=patient.pk).delete()
    make_marker()


async def until_marker(wire):
    """Yield the events before the marker."""
    while (event := await wire.event()) != {
        "onNewPatient": {"message": "New patient added: Marker"}
    }:
        yield event


def changed(change, name):
    return {"onPatientChanged": {"change": change, "patient": {"name": name}}}


# ---- the admin


@pytest.fixture
def staff_client():
    rights = [f"{verb}_patient" for verb in ("view", "add", "change", "delete")]
    client = Client()
    client.force_login(make_user("staff", *rights, is_staff=True))
    return client


ADMIN = "/admin/patients/patient/"


@pytest.mark.parametrize(
    "search", ["", "?q=Jane", "?q=secret", "?q=H-1", "?status__exact=admitted"]
)
def test_the_admins_lists_leave_them_out(staff_client, hidden, open_patient, search):
    response = staff_client.get(ADMIN + search)
    assert response.status_code == 200
    assert "Hidden Jane" not in response.content.decode()
    assert response.context["cl"].result_count == (0 if "q=" in search else 1)


def test_the_admins_filter_by_a_hidden_category_finds_nobody(staff_client, hidden):
    response = staff_client.get(f"{ADMIN}?category__id__exact={hidden.category_id}")
    assert "Jane" not in response.content.decode()


def test_the_admins_filter_does_not_offer_a_hidden_category(staff_client, hidden):
    assert hidden.category.name not in staff_client.get(ADMIN).content.decode()


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_the_admins_pages_of_one_do_not_exist(staff_client, hidden, page):
    for method in (staff_client.get, staff_client.post):
        response = method(f"{ADMIN}{hidden.pk}/{page}/", follow=True)
        assert "Jane" not in response.content.decode()
        missing = method(f"{ADMIN}99999/{page}/", follow=True)
        assert response.status_code == missing.status_code
        assert response.redirect_chain == missing.redirect_chain
    assert Patient.objects.filter(pk=hidden.pk).exists()


def test_the_admins_form_does_not_offer_a_hidden_category(staff_client, hidden, open_patient):
    for page in ("add/", f"{open_patient.pk}/change/"):
        form = staff_client.get(ADMIN + page).context["adminform"].form
        assert "II" not in {c.code for c in form.fields["category"].queryset}
    values = {"name": "New", "category": hidden.category_id, "sex": "unknown"}
    response = staff_client.post(f"{ADMIN}add/", values)
    assert "category" in response.context["adminform"].form.errors
    assert not Patient.objects.filter(name="New").exists()


@pytest.mark.parametrize("action", ["discharge", "delete_selected"])
def test_the_admins_actions_do_not_reach_them(staff_client, hidden, action):
    values = {"action": action, "_selected_action": [hidden.pk], "post": "yes"}
    response = staff_client.post(ADMIN, values, follow=True)
    assert "Jane" not in response.content.decode()
    hidden.refresh_from_db()
    assert hidden.status == Patient.Status.ADMITTED


@pytest.mark.parametrize("by_action", [False, True])
def test_the_admin_says_why_the_last_viewers_stay(admin_client, categories, by_action):
    group = Group.objects.create(name="Oncology")
    categories["II"].viewers.add(group)
    url, data = f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}
    if by_action:
        url = "/admin/auth/group/"
        data |= {"action": "delete_selected", "_selected_action": [group.pk]}
    response = admin_client.post(url, data, follow=True)
    assert "these categories would be open to everybody: II Neoplasms" in response.text
    assert Group.objects.filter(pk=group.pk).exists()
