"""Pages of a list: as graphene-django has them, without counting what nobody asks for."""

import graphene
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from graphene_django import DjangoConnectionField, DjangoObjectType
from graphene_django.registry import Registry
from graphql_relay import offset_to_cursor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.errors import BadInput
from live.execution.connections import BoundedConnectionField

ROWS = 7


class Counted(graphene.relay.Connection):
    class Meta:
        abstract = True

    total_count = graphene.Int()

    @staticmethod
    def resolve_total_count(root, info):
        return root.length


class GroupType(DjangoObjectType):
    class Meta:
        model = Group
        name = "Group"
        fields = ("name",)
        interfaces = (graphene.relay.Node,)
        connection_class = Counted
        registry = Registry()


class Query(graphene.ObjectType):
    ours = BoundedConnectionField(GroupType)
    theirs = DjangoConnectionField(GroupType, max_limit=None)
    in_memory = BoundedConnectionField(GroupType)
    all_there_are = BoundedConnectionField(GroupType, resolver=lambda root, info, **page: None)

    @staticmethod
    def resolve_ours(root, info, **page):
        return Group.objects.order_by("name")

    resolve_theirs = resolve_ours

    @staticmethod
    def resolve_in_memory(root, info, **page):
        return [Group(pk=n, name=f"group {n}") for n in range(ROWS)]


SCHEMA = graphene.Schema(query=Query)
QUERY = """query (
  $first: Int, $last: Int, $after: String, $before: String, $offset: Int, $counted: Boolean!
) {
  page: %s(first: $first, last: $last, after: $after, before: $before, offset: $offset) {
    totalCount @include(if: $counted)
    edges { cursor node { name } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


@pytest.fixture(scope="module", autouse=True)
def _groups(django_db_setup, django_db_blocker):
    """Rows for all tests here: Hypothesis runs a test's body many times."""
    with django_db_blocker.unblock():
        Group.objects.bulk_create(Group(name=f"group {n}") for n in range(ROWS))
        yield
        Group.objects.filter(name__startswith="group ").delete()


def page(field, counted=False, **arguments):
    result = SCHEMA.execute(QUERY % field, variables={"counted": counted, **arguments})
    if result.errors:
        raise result.errors[0].original_error or result.errors[0]
    return result.data["page"]


def names(found):
    return [edge["node"]["name"] for edge in found["edges"]]


numbers = st.none() | st.integers(0, ROWS + 3)
cursors = st.none() | st.integers(0, ROWS + 3).map(offset_to_cursor)
# With one beyond the end, graphene-django promises a next page that there is not.
ends = st.none() | st.integers(0, ROWS).map(offset_to_cursor)


@pytest.mark.django_db
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(numbers, numbers, cursors, ends, numbers, st.booleans())
def test_a_page_is_graphene_djangos(first, last, after, before, offset, counted):
    if before is not None and offset is not None:
        offset = None  # which graphene-django does not allow
    arguments = {"first": first, "last": last, "after": after, "before": before, "offset": offset}
    try:
        # Ours gives a page without either its bound.
        theirs = {**arguments, "first": 100} if first is last is None else arguments
        expected = page("theirs", counted, **theirs)
    except ValueError:
        expected = None  # nothing is between `after` and `before`
    found = page("ours", counted, **arguments)
    if expected is None:
        assert found["edges"] == []
    else:
        assert found == expected


def costs(query):
    with CaptureQueriesContext(
        connection,
    ) as context:
        result = SCHEMA.execute(query)
    assert result.errors is None
    return [q["sql"] for q in context.captured_queries], result.data["ours"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    [
        "first: 3",
        "",
        f'first: 3, after: "{offset_to_cursor(1)}"',
        "first: 3, offset: 2",
        "first: 90",
    ],
)
def test_a_page_costs_one_query(asked):
    call = f"ours({asked})" if asked else "ours"
    for fields in ("edges { node { name } }", "edges { cursor } pageInfo { hasNextPage }"):
        queries, _ = costs(f"{{ {call} {{ {fields} }} }}")
        assert len(queries) == 1
        assert "COUNT" not in queries[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        "ours(first: 2) { totalCount edges { cursor } }",
        "ours(first: 2) { ...F } } fragment F on GroupConnection { n: totalCount edges { cursor }",
        "ours(last: 2) { edges { cursor } }",
    ],
)
def test_all_are_counted_where_that_is_needed(fields):
    queries, found = costs(f"{{ {fields} }}")
    assert ["COUNT" in sql for sql in queries] == [True, False]
    assert found.get("totalCount", found.get("n", ROWS)) == ROWS
    assert len(found["edges"]) == 2


@pytest.mark.django_db
def test_no_row_is_read_that_nobody_needs():
    [sql], _ = costs("{ ours(first: 3) { edges { cursor } } }")
    assert "LIMIT 3" in sql
    [sql], _ = costs("{ ours(first: 3) { edges { cursor } pageInfo { hasNextPage } } }")
    assert "LIMIT 4" in sql


@pytest.mark.django_db
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("offset", [ROWS, 2**31, 2**63, 10**30])
def test_a_page_beyond_the_end_is_empty(offset, counted):
    found = page("ours", counted, first=2, after=offset_to_cursor(offset))
    assert (found["edges"], found["pageInfo"]["hasNextPage"]) == ([], False)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["after", "before"])
@pytest.mark.parametrize("cursor", ["nonsense", offset_to_cursor(-1), offset_to_cursor(-5)])
def test_what_is_no_cursor_is_refused(name, cursor):
    with pytest.raises(BadInput, match=f"{name} is not a cursor"):
        page("ours", **{"first": 2, name: cursor})


def test_a_list_in_memory_has_pages_too():
    found = page("inMemory", counted=True, first=2, after=offset_to_cursor(1))
    assert (names(found), found["totalCount"]) == (["group 2", "group 3"], ROWS)
    assert found["pageInfo"]["hasNextPage"]


@pytest.mark.django_db
def test_a_resolver_that_returns_none_leaves_it_to_the_models_manager():
    assert len(names(page("allThereAre", first=3))) == 3
