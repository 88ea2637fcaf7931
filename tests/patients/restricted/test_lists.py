"""Patients of a category that is restricted to groups without the user: in no list, by no id."""

import pytest
from django.contrib.auth.models import Group
from django.db.models import ProtectedError

from patients import selectors
from tests.patients.asking import ask, codes, data, id_of

pytestmark = pytest.mark.django_db(transaction=True)


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
