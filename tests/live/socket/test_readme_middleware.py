"""The middleware in the library's README, which moves sync resolvers to a thread by itself."""

import asyncio

import graphene
import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from graphene_django import DjangoObjectType

from live.execution.resolvers import from_memory
from live.identity.tokens import issue_token
from live.models import AccessToken
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription
from tests.live.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)


async def threadpool_for_sync_resolvers(next_middleware, root, info, *args, **kwds):
    """As the README has it."""
    if asyncio.iscoroutinefunction(next_middleware):
        return await next_middleware(root, info, *args, **kwds)
    return await asyncio.to_thread(next_middleware, root, info, *args, **kwds)


async def database_for_sync_resolvers(next_middleware, root, info, *args, **kwds):
    """As programs have it that ask the database."""
    if asyncio.iscoroutinefunction(next_middleware):
        return await next_middleware(root, info, *args, **kwds)
    return await database_sync_to_async(next_middleware)(root, info, *args, **kwds)


class UserName(graphene.ObjectType):
    username = graphene.String()


class TokenType(DjangoObjectType):
    class Meta:
        model = AccessToken
        name = "Token"
        fields = ("label", "user")

    user = graphene.Field(UserName)
    others = graphene.Int()

    @staticmethod
    def resolve_others(token, info):
        return User.objects.exclude(pk=token.user_id).count()


class OnToken(Subscription):
    """A token, with a run for each subscriber."""

    token = graphene.Field(TokenType)

    @staticmethod
    def publish(payload, info):
        return OnToken(token=AccessToken.objects.get())


class OnSharedToken(OnToken):
    """The same, shared."""

    @staticmethod
    @from_memory
    def audience(info):
        return "everybody"

    @staticmethod
    def publish(payload, info):
        return OnSharedToken(token=AccessToken.objects.get())


class Query(graphene.ObjectType):
    token = graphene.Field(TokenType)

    @staticmethod
    def resolve_token(root, info):
        return AccessToken.objects.get()


class Subscriptions(graphene.ObjectType):
    on_token = OnToken.Field()
    on_shared_token = OnSharedToken.Field()


class Consumer(LiveConsumer):
    schema = graphene.Schema(query=Query, subscription=Subscriptions)


TOKEN = "token { label user { username } others }"
EXPECTED = {"token": {"label": "mine", "user": {"username": "visitor"}, "others": 0}}


@pytest.fixture(params=[threadpool_for_sync_resolvers, database_for_sync_resolvers])
def wire(request, visitor):
    issue_token(user=visitor, label="mine", expires_in=None)
    consumer = type("Threaded", (Consumer,), {"middleware": [request.param]})
    return Wire(consumer.as_asgi(), AnonymousUser())


async def test_a_query_may_follow_a_foreign_key(wire):
    async with wire:
        assert await wire.ask(f"{{ {TOKEN} }}") == {"data": EXPECTED}


@pytest.mark.parametrize("kind", [OnToken, OnSharedToken])
async def test_a_subscription_may_follow_a_foreign_key(wire, kind):
    field = kind.__name__.replace("On", "on", 1)
    async with wire:
        assert await wire.subscribe(f"subscription {{ {field} {{ {TOKEN} }} }}") == []
        for _ in range(2):  # the second run keeps what the first found out
            await kind.broadcast_async()
            assert await wire.event() == {field: EXPECTED}
