"""An operation run again and again gives what graphql-core gives for each run alone."""

import asyncio
import functools
import gc
import inspect
import warnings
from typing import Any

import graphene
import pytest
from graphene.types.resolver import dict_or_attr_resolver
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    MiddlewareManager,
    build_schema,
    execute,
    parse,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from live.errors import BadInput, format_error
from live.execution.repeated_execution import Repeated
from live.execution.resolvers import WorkerThreads, from_memory

SCHEMA = build_schema(
    """
    interface Named { name: String }
    enum Colour { RED BLUE }
    scalar Nothing
    type Cat implements Named { name: String, lives: Int!, friend: Cat, colour: Colour }
    type Dog implements Named { name: String!, tricks: [String!]! }
    input Where { room: String! }
    type House { kitten: Cat!, word: String!, next: House }
    type Query {
      cat(room: String): Cat
      house: House
      pets: [Named]
      tags: [String!]
      nothing: Nothing
      count(by: Int = 1, where: Where, at: [Int]): Int
    }
    """
)
SCHEMA.type_map["Nothing"].serialize = lambda value: None  # type: ignore[union-attr]
DOCUMENT = parse(
    """
    query ($with: Boolean = true, $by: Int) {
      cat(room: "ward") { ...all friend { name lives ... on Named { __typename } } }
      other: cat { called: name }
      house { ...in next { ...in } }
      pets { name ... on Cat { lives } ... on Dog { tricks } }
      tags
      nothing
      count(by: $by)
      room: count(where: {room: "a"}, at: [1, 2])
    }
    fragment in on House { kitten { name @include(if: $with) lives } word }
    fragment all on Cat { name colour lives }
    """
)


class Failure:
    """A value that fails where it is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text


class Thing:
    """An object of the test; reading an attribute of it may fail."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        value = self._values.get(name)
        if isinstance(value, Failure):
            raise ValueError(value.text)
        return value


@from_memory
def resolve(source: Any, info: Any, **arguments: Any) -> Any:
    value = getattr(source, info.field_name)
    return value(**arguments) if inspect.isfunction(value) else value


def kind_of(value: Any, info: Any, abstract: Any) -> str:
    return "Dog" if "tricks" in value._values else "Cat"


class Soon:
    """An awaitable of a value, or of its failure; may be awaited again."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        if isinstance(self._value, Failure):
            raise ValueError(self._value.text)
        return self._value


@pytest.fixture(params=["attributes", "resolvers"], autouse=True)
def schema(request):
    """Give types the resolvers that graphene makes for an attribute, or none of their own."""
    for name in ("Cat", "Dog", "House"):
        for field, definition in SCHEMA.type_map[name].fields.items():  # type: ignore[union-attr]
            read = functools.partial(dict_or_attr_resolver, field, None)
            definition.resolve = read if request.param == "attributes" else None


async def run(root: Any, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Run DOCUMENT for `root`; return its data and errors, in any order."""
    result: Any = execute(
        SCHEMA,
        DOCUMENT,
        Thing(root) if isinstance(root, dict) else root,
        field_resolver=resolve,
        type_resolver=kind_of,
        **{"variable_values": {"by": 2}, **options},
    )
    if inspect.isawaitable(result):
        result = await result
    assert isinstance(result, ExecutionResult)
    return result.data, told(result)


def told(result: ExecutionResult) -> list[Any]:
    """Return the errors, in any order; of those that made one field null, that there are some.

    Which of several is told depends on which field fails first: GraphQL leaves it open.
    """
    errors, places = [], set()
    for error in result.errors or ():
        place = null_at(result.data, error.path or [])
        if place == error.path:
            errors.append(error.formatted)
        else:
            places.add(tuple(place))
    return [*sorted(errors, key=repr), *sorted(places, key=repr)]


def null_at(data: Any, path: list[Any]) -> list[Any]:
    """Return the beginning of `path` at whose end `data` is null."""
    for length, key in enumerate(path):
        if data is None:
            return path[:length]
        data = data[key]
    return path


def leaf(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.none() | st.builds(Failure, st.just("no")) | st.just(ValueError("returned"))


def at_once_or_soon(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[bool, Any]]:
    return st.tuples(st.booleans(), values)


NAMES = at_once_or_soon(leaf(st.sampled_from(["Tom", "Félix", 7, True, object])))
LIVES = at_once_or_soon(leaf(st.integers(-(2**33), 2**33) | st.just("many")))
COLOURS = at_once_or_soon(leaf(st.sampled_from(["RED", "GREEN"])))
CATS = st.deferred(
    lambda: at_once_or_soon(
        leaf(
            st.fixed_dictionaries(
                {"name": NAMES, "lives": LIVES, "colour": COLOURS}, optional={"friend": CATS}
            )
        )
    )
)
TEXTS = leaf(st.lists(at_once_or_soon(leaf(st.just("sit"))), max_size=2))
DOGS = at_once_or_soon(st.fixed_dictionaries({"name": NAMES, "tricks": at_once_or_soon(TEXTS)}))
HOUSES = st.deferred(
    lambda: at_once_or_soon(
        leaf(st.fixed_dictionaries({"kitten": CATS, "word": NAMES}, optional={"next": HOUSES}))
    )
)
ROOTS = st.fixed_dictionaries(
    {
        "cat": CATS,
        "house": HOUSES,
        "pets": at_once_or_soon(leaf(st.lists(CATS | DOGS, max_size=2))),
        "tags": at_once_or_soon(TEXTS),
        "nothing": at_once_or_soon(leaf(st.just("something"))),
        "count": LIVES,
    }
)


def made(drawn: Any) -> Any:
    """Return what was drawn, with awaitables, which can be used once only, in their places."""
    if isinstance(drawn, dict):
        return Thing({name: made(value) for name, value in drawn.items()})
    if isinstance(drawn, list):
        return [made(item) for item in drawn]
    if isinstance(drawn, tuple):
        later, value = drawn
        return Soon(made(value)) if later else made(value)
    return drawn


@pytest.fixture
def quick_collection():
    """Leave what was there before the test out of each `gc.collect`."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collection")
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ROOTS, min_size=2, max_size=4))
@example([{"pets": [{"name": None}, {"name": None, "tricks": ["sit"]}]}])  # one may have no name
async def test_every_run_gives_what_graphql_core_gives(drawn):
    shared = {"middleware": WorkerThreads(), "execution_context_class": Repeated()}
    with warnings.catch_warnings():
        # Where a field fails at once, graphql-core leaves its neighbours' coroutines alone.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited")
        for root in drawn:
            expected = await run(made(root))
            assert await run(made(root), **shared) == expected
        gc.collect()


async def test_a_run_sees_its_own_root_and_context():
    seen = []
    repeated = Repeated()

    def look(next_resolver: Any, source: Any, info: Any, **arguments: Any) -> Any:
        seen.append((info.root_value.count, info.context, info.path.as_list()))
        return next_resolver(source, info, **arguments)

    manager = MiddlewareManager(look)
    for count, context in ((1, "one"), (2, "two")):
        await run(
            {"count": count},
            context_value=context,
            middleware=manager,
            execution_context_class=repeated,
        )
    assert {(root, context) for root, context, _ in seen} == {(1, "one"), (2, "two")}
    assert ["count"] in [path for _, _, path in seen]


async def test_an_argument_that_a_resolver_changes_is_whole_for_the_next_run():
    repeated, seen = Repeated(), []

    def count(by: int | None = None, where: Any = None, at: Any = None) -> int:
        if where:
            seen.append((dict(where), list(at)))
            where.clear()
            at.clear()
        return 1

    for _ in range(3):
        await run({"count": count}, execution_context_class=repeated)
    assert seen == [({"room": "a"}, [1, 2])] * 3


@pytest.mark.parametrize(
    "options",
    [{"variable_values": {"by": "much"}}, {"operation_name": "nobody"}],
    ids=["a variable", "the operation"],
)
async def test_what_cannot_be_run_says_so_each_time(options):
    repeated = Repeated()
    expected = await run({}, **options)
    assert expected[1]
    for _ in range(2):
        assert await run({}, execution_context_class=repeated, **options) == expected


async def test_a_missing_variable_is_told_each_time():
    schema: GraphQLSchema = build_schema("type Query { twice(of: Int!): Int }")
    document = parse("query ($of: Int) { twice(of: $of) }")
    repeated: Any = Repeated()
    expected: Any = execute(schema, document, {})
    for _ in range(2):
        result: Any = execute(schema, document, {}, execution_context_class=repeated)
        assert result == expected
        assert result.errors


# ---- what a client is told of an error


class Raising:
    """An object whose `told` fails where it is read, and whose `number` is none."""

    number = "Ada Lovelace"

    def __init__(self, error: Exception) -> None:
        self._error = error

    @property
    def told(self) -> str:
        raise self._error


ERRORS = {
    "graphql-core's": lambda: GraphQLError("The ward is closed."),
    "one for clients": lambda: BadInput("The ward is closed."),
    "any other": lambda: ValueError("Ada Lovelace"),
}


def told_of(result: ExecutionResult) -> list[Any]:
    """Return what the client gets of the errors; an id, which is new each time, is left out."""
    formatted: list[Any] = [format_error(error) for error in result.errors or ()]
    for error in formatted:
        if error["extensions"].pop("id", None):
            error["extensions"]["id"] = "some"
    return sorted(formatted, key=repr)


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("at_once", [True, False], ids=["on the loop", "in a thread"])
async def test_of_what_a_sync_resolver_raises_clients_are_told_the_same(make, at_once):
    """Also of the root field's own, which is a subscription's `publish`."""

    class Told(graphene.ObjectType):
        told = graphene.String()
        number = graphene.Int()
        resolved = graphene.String()

        def resolve_resolved(root, info):
            raise make()

    class Query(graphene.ObjectType):
        fine = graphene.Field(Told)
        publish = graphene.Field(Told)

        def resolve_fine(root, info):
            return Raising(make())

        def resolve_publish(root, info):
            raise make()

    if at_once:
        for resolver in (Told.resolve_resolved, Query.resolve_fine, Query.resolve_publish):
            from_memory(resolver)
    schema = graphene.Schema(query=Query).graphql_schema
    document = parse("{ fine { told number resolved } publish { told } }")

    async def errors(**options: Any) -> list[Any]:
        result: Any = execute(schema, document, **options)
        return told_of(await result if inspect.isawaitable(result) else result)

    expected = await errors(middleware=WorkerThreads())
    shared = {"middleware": WorkerThreads(), "execution_context_class": Repeated()}
    for _ in range(3):
        assert await errors(**shared) == expected
    assert len(expected) == 4
    assert "Ada" not in str(expected)
    is_kept = not isinstance(make(), ValueError)
    assert str(expected).count("The ward is closed.") == (3 if is_kept else 0)
