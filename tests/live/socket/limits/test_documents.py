"""What a document may cost: at the limit all is well, one past it is refused and counted."""

import time

import pytest

from live.conf import DEFAULTS
from tests.live.socket.limits.limited import CONSUMER, counted, post
from tests.live.wire import SUBPROTOCOLS, Wire, codes


def lists(rows):
    """Return lists of so many rows together, none of more than a page."""
    full = [f"a{i}: list(first: 100) {{ fast }}" for i in range(rows // 100)]
    return " ".join([*full, f"list(first: {rows % 100}) {{ fast }}"])


# name → (setting, limit's label, a document that costs n)
DOCUMENTS = {
    "tokens": ("MAX_QUERY_TOKENS", "tokens", lambda n: "{ " + "fast " * (n - 2) + "}"),
    "depth": (
        "MAX_QUERY_DEPTH",
        "depth",
        lambda n: "{ child " * (n - 1) + "{ fast }" + " }" * (n - 1),
    ),
    "fields": ("MAX_QUERY_FIELDS", "fields", lambda n: "{ " + "fast " * n + "}"),
    "fields in a fragment": (
        "MAX_QUERY_FIELDS",
        "fields",
        lambda n: "{ ...F } fragment F on Query { " + "fast " * n + "}",
    ),
    "fields of two operations": (
        "MAX_QUERY_FIELDS",
        "fields",
        lambda n: "query A { fast } query B { " + "fast " * (n - 1) + "}",
    ),
    "rows": ("MAX_ROWS", "rows", lambda n: f"{{ {lists(n)} }}"),
    "aliases": (
        "MAX_QUERY_ALIASES",
        "aliases",
        lambda n: "{ " + " ".join(f"a{i}: fast" for i in range(n)) + " }",
    ),
    "aliases by a fragment": (
        "MAX_QUERY_ALIASES",
        "aliases",
        lambda n: "{ " + "...F " * n + "} fragment F on Query { a: fast }",
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_document_over_a_socket(limit, case, subprotocol):
    setting, label, document = DOCUMENTS[case]
    most = 10
    # `fields of two operations` needs no operation name to be refused, one to be run.
    limit(**{setting: most})
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:
        before = counted(label)
        assert "QUERY_TOO_COMPLEX" not in codes(await wire.ask(document(most)))
        assert counted(label) == before
        for times in (1, 2):  # the second comes from the cache of documents
            response = await wire.ask(document(most + 1) + " " * most)
            assert codes(response) == ["QUERY_TOO_COMPLEX"]
            assert str(most) in response["errors"][0]["message"]
            assert counted(label) == before + times
        assert (await wire.ask("{ fast }"))["data"] == {"fast": 1}


@pytest.mark.parametrize("case", DOCUMENTS)
async def test_a_document_over_http(limit, case):
    setting, label, document = DOCUMENTS[case]
    limit(**{setting: 11})
    before = counted(label)
    assert "QUERY_TOO_COMPLEX" not in codes((await post(document(11))).json())
    assert counted(label) == before
    response = await post(document(12))
    assert codes(response.json()) == ["QUERY_TOO_COMPLEX"]
    assert counted(label) == before + 1


@pytest.mark.parametrize("case", DOCUMENTS)
async def test_a_document_at_the_default(case):
    setting, _, document = DOCUMENTS[case]
    most = DEFAULTS[setting]
    async with Wire(CONSUMER) as wire:
        if case != "tokens":  # so many are too many fields
            assert "QUERY_TOO_COMPLEX" not in codes(await wire.ask(document(most)))
        assert codes(await wire.ask(document(most + 1))) == ["QUERY_TOO_COMPLEX"]


def doubling(levels):
    """Return a document whose fields double with each fragment."""
    fragments = (f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels))
    return "{ ...F0 } " + " ".join(fragments) + f" fragment F{levels} on Query {{ fast }}"


async def test_fragments_that_double_are_counted_and_cost_no_time():
    async with Wire(CONSUMER) as wire:
        assert codes(await wire.ask(doubling(9))) == []  # 512 fields
        assert codes(await wire.ask(doubling(10))) == ["QUERY_TOO_COMPLEX"]  # 1024
        started = time.process_time()
        assert codes(await wire.ask(doubling(300))) == ["QUERY_TOO_COMPLEX"]  # 2^300
        assert time.process_time() - started < 2


async def test_fragments_in_a_circle_are_refused():
    async with Wire(CONSUMER) as wire:
        circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"
        assert set(codes(await wire.ask(circle))) == {"BAD_INPUT"}
        assert codes(await wire.ask("{ fast }")) == []


async def test_nesting_that_the_parser_cannot_follow_is_refused(limit):
    limit(MAX_QUERY_TOKENS=100_000)
    async with Wire(CONSUMER) as wire:
        deep = "{ child " * 5000 + "{ fast }" + " }" * 5000
        assert codes(await wire.ask(deep)) == ["QUERY_TOO_COMPLEX"]
        assert codes(await wire.ask("{ fast }")) == []
