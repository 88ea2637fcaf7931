"""Bounds of one client on all its sockets: they outlive each of them."""

import graphene
import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from prometheus_client import REGISTRY

from live.socket import consumer
from live.socket.consumer import LiveConsumer
from tests.live.wire import SUBPROTOCOLS, Wire, codes


class Query(graphene.ObjectType):
    """Something to ask for."""

    fast = graphene.Int()


class Consumer(LiveConsumer):
    """Knows nobody: every client is its address."""

    schema = graphene.Schema(query=Query)


CONSUMER = Consumer.as_asgi()
ASK = "{ fast }"


@pytest.fixture
def limit(settings):
    """Set engine settings."""

    def change(**values):
        settings.LIVE = {**settings.LIVE, **values}

    return change


def counted(name):
    return REGISTRY.get_sample_value("wardcast_limits_exceeded_total", {"limit": name}) or 0


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_requests_at_once(limit, subprotocol):
    limit(REQUESTS_PER_SECOND_OF_CLIENT=0.001, REQUESTS_AT_ONCE_OF_CLIENT=3)
    before = counted("requests_of_client")
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:  # the first: to connect
        assert codes(await wire.ask(ASK)) == []
        assert codes(await wire.ask(ASK)) == []
        assert counted("requests_of_client") == before
        await wire.start(ASK)
        assert (await wire.ended()).code == 4429
    assert counted("requests_of_client") == before + 1


async def test_who_comes_back_has_no_new_allowance(limit, monkeypatch):
    monkeypatch.setattr(consumer, "REFUSAL_SECONDS", 0)
    limit(REQUESTS_PER_SECOND_OF_CLIENT=0.001, REQUESTS_AT_ONCE_OF_CLIENT=2)
    async with Wire(CONSUMER) as wire:
        assert codes(await wire.ask(ASK)) == []
    before = counted("requests_of_client")
    socket = WebsocketCommunicator(CONSUMER, "/graphql/", [], ["graphql-transport-ws"])
    socket.scope["client"] = ["127.0.0.1", 1]
    assert await socket.connect() == (False, 4429)
    assert counted("requests_of_client") == before + 1


async def test_requests_come_back_with_time(limit):
    limit(REQUESTS_PER_SECOND_OF_CLIENT=1_000_000, REQUESTS_AT_ONCE_OF_CLIENT=1)
    async with Wire(CONSUMER) as wire:
        for _ in range(20):
            assert codes(await wire.ask(ASK)) == []


async def test_a_pong_is_no_request(limit):
    limit(REQUESTS_PER_SECOND_OF_CLIENT=0.001, REQUESTS_AT_ONCE_OF_CLIENT=2)
    async with Wire(CONSUMER) as wire:
        for _ in range(5):
            await wire.send(type="pong")
        assert codes(await wire.ask(ASK)) == []


@pytest.mark.django_db(transaction=True)
async def test_users_do_not_share(limit):
    limit(REQUESTS_PER_SECOND_OF_CLIENT=0.001, REQUESTS_AT_ONCE_OF_CLIENT=2)
    for name in ("day", "night"):
        user = await User.objects.acreate(username=name)
        async with Wire(CONSUMER, user=user) as wire:
            assert codes(await wire.ask(ASK)) == []


async def test_new_documents_at_once(limit):
    limit(NEW_DOCUMENTS_PER_SECOND=0.001, NEW_DOCUMENTS_AT_ONCE=2.1)
    before = counted("documents")
    async with Wire(CONSUMER) as wire:
        for document in ("{ a: fast }", "{ b: fast }", "{ a: fast }", "{ b: fast }"):
            assert codes(await wire.ask(document)) == []
        assert codes(await wire.ask("{ c: fast }")) == ["RATE_LIMITED"]
    assert counted("documents") == before + 1


async def test_a_document_that_comes_many_times_at_once_is_one(limit):
    """As where a process is new, and a ward's screens come back to it."""
    limit(NEW_DOCUMENTS_PER_SECOND=0.001, NEW_DOCUMENTS_AT_ONCE=2.1)
    before = counted("documents")
    async with Wire(CONSUMER) as wire, Wire(CONSUMER) as other:
        for number in range(20):
            await wire.start("{ together: fast }", str(number))
            await other.start("{ together: fast }", str(number))
        for each in (wire, other):
            kinds = [(await each.receive())["type"] for _ in range(40)]
            assert sorted(kinds) == ["complete"] * 20 + ["next"] * 20
    assert counted("documents") == before


async def test_new_documents_come_back_with_time(limit):
    limit(NEW_DOCUMENTS_PER_SECOND=1_000_000, NEW_DOCUMENTS_AT_ONCE=1.1)
    async with Wire(CONSUMER) as wire:
        for number in range(10):
            assert codes(await wire.ask(f"{{ again{number}: fast }}")) == []


async def test_a_document_that_is_refused_costs_more(limit):
    limit(NEW_DOCUMENTS_PER_SECOND=0.001, NEW_DOCUMENTS_AT_ONCE=10, MAX_QUERY_ALIASES=1)
    async with Wire(CONSUMER) as wire:
        assert codes(await wire.ask("{ x: fast y: fast }")) == ["QUERY_TOO_COMPLEX"]
        assert codes(await wire.ask("{ z: fast }")) == ["RATE_LIMITED"]


class Mutation(graphene.ObjectType):
    """Something to change."""

    change = graphene.Int()

    resolve_change = staticmethod(lambda root, info: 1)


class ChangingConsumer(LiveConsumer):
    schema = graphene.Schema(query=Query, mutation=Mutation)


CHANGES = " ".join(f"a{n}: change" for n in range(9))


@pytest.mark.parametrize(
    "document",
    [f"mutation {{ {CHANGES} }}", f"mutation {{ ...F }} fragment F on Mutation {{ {CHANGES} }}"],
)
async def test_each_mutation_of_a_document_is_a_request(limit, document):
    limit(REQUESTS_AT_ONCE_OF_CLIENT=20, REQUESTS_PER_SECOND_OF_CLIENT=0.001)
    async with Wire(ChangingConsumer.as_asgi()) as wire:
        assert codes(await wire.ask(document)) == []
        assert codes(await wire.ask(document)) == []
        assert codes(await wire.ask(document)) == ["RATE_LIMITED"]
