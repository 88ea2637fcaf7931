"""What `info.context` holds is one operation's; of the connection, it changes user and session."""

import graphene
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from graphene.utils.dataloader import DataLoader

from live.execution.resolvers import from_memory
from live.identity.revocation import rights_changed
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription
from tests.live.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)

batches: list[list[int]] = []


class Doubles(DataLoader):
    async def batch_load_fn(self, keys):
        batches.append(list(keys))
        return [2 * key for key in keys]


class Shift:
    """Which shift it is, as `authorize` finds it."""

    now: str


class OnTick(Subscription):
    """With what `authorize` returned last."""

    shift = graphene.String()

    @staticmethod
    @from_memory
    def authorize(root, info):
        return Shift.now

    @staticmethod
    @from_memory
    def publish(payload, info):
        return OnTick(shift=info.context.authorized)


class OnSharedTick(OnTick):
    """The same, shared by those on the same shift."""

    @staticmethod
    @from_memory
    def audience(info):
        return info.context.authorized

    @staticmethod
    @from_memory
    def publish(payload, info):
        return OnSharedTick(shift=info.context.audience)


class Query(graphene.ObjectType):
    double = graphene.Int(of=graphene.Int(required=True))
    write = graphene.Boolean(name=graphene.String(required=True))
    read = graphene.String(name=graphene.String(required=True))

    @staticmethod
    async def resolve_double(root, info, of):
        if "doubles" not in info.context:
            info.context.doubles = Doubles()
        return await info.context.doubles.load(of)

    @staticmethod
    async def resolve_write(root, info, name):
        setattr(info.context, name, "mine")
        return info.context[name] == "mine"

    @staticmethod
    async def resolve_read(root, info, name):
        scope = info.context.channels_scope
        assert info.context.get(name) is scope.get(name)
        return str(scope.get(name))


class Subscriptions(graphene.ObjectType):
    on_tick = OnTick.Field()
    on_shared_tick = OnSharedTick.Field()


class Consumer(LiveConsumer):
    schema = graphene.Schema(query=Query, subscription=Subscriptions)


def connect():
    return Wire(Consumer.as_asgi(), AnonymousUser())


async def data(wire, query):
    response = await wire.ask(query)
    assert "errors" not in response, response
    return response["data"]


async def test_a_data_loader_is_each_operations_own():
    batches.clear()
    async with connect() as wire:
        for _ in range(2):
            assert await data(wire, "{ a: double(of: 1) b: double(of: 2) }") == {"a": 2, "b": 4}
    # Both fields in one batch; nothing of the first operation was left for the second.
    assert batches == [[1, 2], [1, 2]]


@pytest.mark.parametrize("name", ["headers", "path", "subprotocols", "anything"])
async def test_what_a_resolver_writes_stays_its_operations(name):
    async with connect() as wire:
        before = await data(wire, f'{{ read(name: "{name}") }}')
        assert await data(wire, f'{{ write(name: "{name}") }}') == {"write": True}
        assert await data(wire, f'{{ read(name: "{name}") }}') == before


async def test_a_session_that_a_resolver_writes_is_the_connections():
    async with connect() as wire:
        assert await data(wire, '{ write(name: "session") }') == {"write": True}
        assert await data(wire, '{ read(name: "session") }') == {"read": "mine"}


@pytest.mark.parametrize("field", ["onTick", "onSharedTick"])
async def test_what_authorize_returns_is_renewed_with_the_rights(field):
    kind = OnTick if field == "onTick" else OnSharedTick
    Shift.now = "day"
    async with connect() as wire:
        assert await wire.subscribe(f"subscription {{ {field} {{ shift }} }}") == []
        await kind.broadcast_async(payload=None)
        assert await wire.event() == {field: {"shift": "day"}}
        Shift.now = "night"
        await sync_to_async(rights_changed)(None)
        await kind.broadcast_async(payload=None)
        assert await wire.event() == {field: {"shift": "night"}}
