"""Documents are parsed and validated once, for all who send them."""

from collections import Counter

import graphene
import pytest

from live.concurrency.bounded_cache import BoundedCache
from live.execution import execution
from live.execution.execution import LONGEST_CACHED_DOCUMENT
from live.socket.consumer import LiveConsumer
from tests.live.wire import Wire, codes


class Query(graphene.ObjectType):
    """One number."""

    a = graphene.Int()

    resolve_a = staticmethod(lambda root, info: 1)


class Consumer(LiveConsumer):
    """Serves it."""

    schema = graphene.Schema(query=Query)


class Other(LiveConsumer):
    """Has a schema of its own, which is equal."""

    schema = graphene.Schema(query=Query)


@pytest.fixture(autouse=True)
def work(monkeypatch):
    """Count the calls of graphql-core's functions; nothing is remembered yet."""
    counts = Counter()

    def counted(name):
        function = getattr(execution, name)

        def call(*arguments, **options):
            counts[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(execution, name, call)

    for name in ("parse", "validate"):
        counted(name)
    monkeypatch.setattr(execution, "_documents", BoundedCache())
    return counts


async def ask(query, consumer=Consumer):
    """Send a document on a socket of its own; return the response."""
    async with Wire(consumer.as_asgi()) as wire:
        return await wire.ask(query)


async def costs(work, query, consumer=Consumer):
    """Return whether the document was parsed, and validated, for this request."""
    work.clear()
    assert (await ask(query, consumer))["data"]
    assert bool(work["parse"]) == bool(work["validate"])
    return bool(work["parse"])


async def test_what_one_socket_sent_is_known_for_all(work):
    assert await costs(work, "{ a }")
    assert not await costs(work, "{ a }")
    assert await costs(work, "{ b: a }")


async def test_what_is_wrong_is_known_too(work):
    refused = [await ask("{ b }") for _ in range(2)]
    assert [codes(response) for response in refused] == [["BAD_INPUT"]] * 2
    assert work["parse"] == 1


async def test_another_schema_looks_for_itself(work):
    assert await costs(work, "{ a }")
    assert await costs(work, "{ a }", Other)
    assert not await costs(work, "{ a }")
    assert not await costs(work, "{ a }", Other)


async def test_beyond_the_cache_the_one_that_was_not_sent_for_longest_is_forgotten(work, settings):
    settings.LIVE = {"DOCUMENT_CACHE_SIZE": 2}
    assert await costs(work, "{ a }")
    assert await costs(work, "{ b: a }")
    assert not await costs(work, "{ a }")
    assert await costs(work, "{ c: a }")
    assert not await costs(work, "{ a }")
    assert await costs(work, "{ b: a }")
    assert len(execution._documents) == 2


@pytest.mark.parametrize(("length", "kept"), [(0, True), (1, False)])
async def test_long_documents_are_not_kept(work, length, kept):
    query = "{ a } #".ljust(LONGEST_CACHED_DOCUMENT + length, "x")
    assert await costs(work, query)
    assert await costs(work, query) == (not kept)
    assert len(execution._documents) == kept
