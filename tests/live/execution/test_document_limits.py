"""Bounds hold exactly, and cost little to check, however a document is built."""

import pytest
from graphql import parse

from live.errors import QueryTooComplex
from live.execution import document_limits
from live.execution.document_limits import Bounds, Cost, check_document, document_cost
from live.execution.execution import _parse_and_validate
from server.schema import schema

WIDE = Bounds(depth=1000, fields=10**9, aliases=10**9)


def cost(text):
    return document_cost(parse(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ a }", Cost(1, 1, 0)),
        ("{ a b c }", Cost(1, 3, 0)),
        ("{ x: a b { y: c { d } } }", Cost(3, 4, 2)),
        ("{ ... { a ... { b } } }", Cost(1, 2, 0)),
        ("{ a { ...F } ...F } fragment F on T { b { c } }", Cost(3, 5, 0)),
        ("query A { a } query B { b { c } }", Cost(2, 3, 0)),
        ("{ ...Missing a }", Cost(1, 1, 0)),
        ("fragment Unused on T { a { b } } { c }", Cost(1, 1, 0)),
    ],
)
def test_cost_counts_what_fragments_spread_to(text, expected):
    assert cost(text) == expected


@pytest.mark.parametrize("name", ["depth", "fields", "aliases"])
def test_a_bound_itself_is_allowed_and_one_past_it_names_the_bound(name):
    document = parse("{ x: a { y: b { z: c } } }")
    exact = Bounds(depth=3, fields=3, aliases=3)
    check_document(document, exact)
    with pytest.raises(QueryTooComplex, match=f"The query's {name} may be 2 at most"):
        check_document(document, Bounds(**{**vars_of(exact), name: 2}))


def vars_of(bounds):
    return {name: getattr(bounds, name) for name in ("depth", "fields", "aliases")}


def bomb(levels):
    """Return a document whose fragments double with each level."""
    fragments = [f"fragment F{n} on T {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)]
    return "{ ...F0 } " + " ".join(fragments) + f" fragment F{levels} on T {{ a }}"


def test_a_fragment_bomb_is_counted_in_linear_time(monkeypatch):
    counted = []
    original = document_limits._Counter.selection
    monkeypatch.setattr(
        document_limits._Counter,
        "selection",
        lambda self, s: counted.append(s) or original(self, s),
    )
    assert cost(bomb(60)).fields == 2**60
    # The operation, 61 fragments, and the one field.
    assert len(counted) == 63
    with pytest.raises(QueryTooComplex, match="fields"):
        check_document(parse(bomb(60)), Bounds(depth=20, fields=1000, aliases=50))


@pytest.mark.parametrize(
    "text",
    [
        "{ ...A } fragment A on T { ...A }",
        "{ ...A } fragment A on T { b { ...B } } fragment B on T { c { ...A } }",
    ],
)
def test_fragments_in_a_circle_end(text):
    check_document(parse(text), WIDE)
    document = _parse_and_validate(schema.graphql_schema, text)
    assert any("Cannot spread fragment" in error.message for error in document.errors)


def chain(length):
    """Return a document of `length` fragments, each in the one before."""
    fragments = [f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(1, length)]
    return f"{{ ...F1 }} {' '.join(fragments)} fragment F{length} on Query {{ __typename }}"


def test_a_long_chain_of_fragments_is_refused():
    """Each costs stack and no field: the depth of fields would not tell."""
    assert _parse_and_validate(schema.graphql_schema, chain(100)).errors == ()
    for length in (101, 490):
        document = _parse_and_validate(schema.graphql_schema, chain(length))
        assert [error.extensions["code"] for error in document.errors] == ["QUERY_TOO_COMPLEX"]


def test_a_deep_document_is_refused_and_not_a_failure():
    text = "{ a " * 900 + "}" * 900
    document = _parse_and_validate(schema.graphql_schema, text)
    assert [error.extensions["code"] for error in document.errors] == ["QUERY_TOO_COMPLEX"]
