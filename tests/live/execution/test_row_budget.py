"""The rows that a document asks for, through aliases, fragments, variables, lists in lists."""

import pytest
from graphql import build_schema, parse, validate

from live.errors import QueryTooComplex
from live.execution.row_budget import check_rows

SCHEMA = build_schema(
    """
    type Query { people(first: Int, last: Int): PersonConnection!  tags: [Tag!]!  one: Person }
    type PersonConnection { totalCount: Int  edges: [PersonEdge] }
    type PersonEdge { node: Person }
    type Person {
      name: String  tags: [Tag!]!  friends(first: Int): PersonConnection!  codes: [Int]
    }
    type Tag { name: String }
    """
)
PAGE = 100
EDGES = "{ edges { node { name } } }"
FRIENDS = "{ edges { node { friends(first: 5) { edges { node { name } } } } } }"

ROWS = {
    "{ one { name codes } }": 0,
    "{ __schema { types { fields { name } } } }": 0,
    f"{{ people(first: 7) {EDGES} }}": 7,
    f"{{ people(last: 7) {EDGES} }}": 7,
    "{ people(first: 7) { totalCount } }": 7,
    f"{{ people {EDGES} }}": PAGE,
    f"query ($n: Int) {{ people(first: $n) {EDGES} }}": PAGE,
    # More than a page is refused where it is read.
    f"{{ people(first: 100000) {EDGES} }}": PAGE,
    f"{{ people(first: -1) {EDGES} }}": 0,
    "{ tags { name } }": PAGE,
    f"{{ a: people(first: 2) {EDGES} b: people(first: 3) {EDGES} }}": 5,
    f"{{ people(first: 4) {FRIENDS} }}": 4 * (1 + 5),
    "{ people(first: 2) { edges { node { tags { name } } } } }": 2 * (1 + PAGE),
    f"{{ ...F ...F }} fragment F on Query {{ people(first: 3) {EDGES} }}": 6,
    f"{{ ... on Query {{ people(first: 3) {EDGES} }} }}": 3,
    # One of them is run.
    f"query A {{ people(first: 3) {EDGES} }} query B {{ people(first: 4) {EDGES} }}": 4,
}


@pytest.mark.parametrize("text", ROWS)
def test_rows_are_counted(text):
    document, rows = parse(text), ROWS[text]
    assert validate(SCHEMA, document) == []
    check_rows(SCHEMA, document, rows, PAGE)
    if rows:
        with pytest.raises(QueryTooComplex) as refused:
            check_rows(SCHEMA, document, rows - 1, PAGE)
        assert refused.value.message == (
            f"The query's rows may be {rows - 1} at most: ask for smaller pages."
        )
