"""A schema for those who may view, whose hooks can be held: for races with a change of rights."""

import asyncio
from contextlib import asynccontextmanager

import graphene
from asgiref.sync import sync_to_async

from live.auth import require_permission
from live.fanout.hub import Hub
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription

VIEW = "patients.view_patient"
HELD: dict[str, asyncio.Event] = {}
REACHED: dict[str, asyncio.Event] = {}


async def pass_by(name):
    """Say that `name` was reached, and wait if it is held."""
    if name in HELD:
        REACHED[name].set()
        await HELD[name].wait()


class OnSecret(Subscription):
    """For those who may view; each subscriber has its own run."""

    value = graphene.String()

    @staticmethod
    def authorize(root, info):
        require_permission(info.context.user, VIEW)

    @staticmethod
    async def subscribe(root, info):
        await pass_by("subscribe")

    @staticmethod
    async def publish(payload, info):
        await pass_by("publish")
        return OnSecret(value=payload)


class Query(graphene.ObjectType):
    secret = graphene.String()
    slow = graphene.String()

    @staticmethod
    def resolve_secret(root, info):
        require_permission(info.context.user, VIEW)
        return "secret"

    @staticmethod
    async def resolve_slow(root, info):
        await pass_by("slow")
        return "slow"


class Subscriptions(graphene.ObjectType):
    on_secret = OnSecret.Field()


class Consumer(LiveConsumer):
    schema = graphene.Schema(query=Query, subscription=Subscriptions)


SECRETS = "subscription { onSecret { value } }"
SECRETS_AFTER = "subscription ($after: String) { onSecret(after: $after) { value } }"


async def lose_permission(user):
    """Take the right away, as another process would: the hub hears of it by the log."""
    await sync_to_async(user.user_permissions.clear)()


async def watching():
    """Return the only socket, once the hub follows the log, and it knows its user's rights."""
    (socket,) = Hub.current().sockets
    await Hub.current().listening()
    await socket.rights.settled()
    return socket


@asynccontextmanager
async def looked_at():
    """At its end, the hub has had the only socket look at its user's rights once more."""
    socket = await watching()
    before = socket.rights.looks
    yield
    async with asyncio.timeout(20):
        while socket.rights.looks == before:  # noqa: ASYNC110  the server has no event for tests
            await asyncio.sleep(0.001)


async def within(seconds, event):
    async with asyncio.timeout(seconds):
        await event.wait()
