"""What an operation asks for below a field, however it is written."""

import graphene
import pytest

from live.execution.selection import selects


class Leaf(graphene.ObjectType):
    """Tells what of it was asked for."""

    asked = graphene.List(graphene.NonNull(graphene.String))
    a = graphene.Int()
    b = graphene.Int()


class Either(graphene.Union):
    class Meta:
        types = (Leaf,)


def resolve(root, info):
    return {"asked": [name for name in ("a", "b", "missing") if selects(info, name)]}


class Query(graphene.ObjectType):
    leaf = graphene.Field(Leaf, resolver=resolve)
    leaves = graphene.NonNull(
        graphene.List(graphene.NonNull(Leaf)), resolver=lambda *given: [resolve(*given)]
    )
    either = graphene.Field(Either, resolver=resolve)


SCHEMA = graphene.Schema(query=Query)
FRAGMENTS = "fragment F on Leaf { b ...G } fragment G on Leaf { a }"


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("{ leaf { asked } }", []),
        ("{ leaf { asked a } }", ["a"]),
        ("{ leaf { asked b: a } }", ["a"]),
        ("{ leaf { asked ... { a } } }", ["a"]),
        ("{ leaf { asked ... on Leaf { ... on Leaf { b } } } }", ["b"]),
        (
            "{ leaf { asked ...F } } fragment F on Leaf { b ...G } fragment G on Leaf { a }",
            ["a", "b"],
        ),
        ("{ leaf { asked } leaf { a } }", ["a"]),
        ("{ leaf { asked } x: leaf { a } }", []),
        ("{ leaf { asked a @skip(if: true) b @include(if: false) } }", []),
        ("query ($v: Boolean = false) { leaf { asked ... @include(if: $v) { a } } }", []),
        ("query ($v: Boolean = true) { leaf { asked ... @include(if: $v) { a } } }", ["a"]),
        ("{ leaf { asked a @skip(if: true) a } }", ["a"]),
    ],
)
def test_a_field_is_found_where_it_will_be_resolved(query, asked):
    result = SCHEMA.execute(query)
    assert result.errors is None
    assert result.data["leaf"]["asked"] == asked


def test_a_lists_objects_count():
    assert SCHEMA.execute("{ leaves { asked a } }").data["leaves"][0]["asked"] == ["a"]


def test_what_is_no_object_type_is_refused():
    [error] = SCHEMA.execute("{ either { ... on Leaf { a } } }").errors
    assert isinstance(error.original_error, TypeError)
