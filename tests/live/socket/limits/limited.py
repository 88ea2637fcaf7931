"""A schema whose fields take as long as a test wants, its consumer, and what was counted."""

import asyncio
import json
import threading

import graphene
from django.test import AsyncClient
from django.urls import path
from prometheus_client import REGISTRY

from live.http.views import GraphQLView
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription

URL = "/graphql/"


GATE = threading.Event()


# Has one for each operation that never ends and has begun.
BEGUN = asyncio.Semaphore(0)


class OnTick(Subscription):
    """Never told anything here."""

    n = graphene.Int()

    @staticmethod
    def publish(payload, info):
        return OnTick(n=payload)


class Query(graphene.ObjectType):
    """Fields that take as long as a test wants."""

    fast = graphene.Int()
    never = graphene.Int()
    blocked = graphene.Int()
    child = graphene.Field(lambda: Query)
    list = graphene.List(lambda: Query, first=graphene.Int())

    @staticmethod
    def resolve_fast(root, info):
        return 1

    @staticmethod
    def resolve_child(root, info):
        return Query()

    @staticmethod
    def resolve_list(root, info, first):
        return [Query()] * first

    @staticmethod
    async def resolve_never(root, info):
        BEGUN.release()
        await asyncio.Event().wait()

    @staticmethod
    def resolve_blocked(root, info):
        assert GATE.wait(20)


class Subscriptions(graphene.ObjectType):
    on_tick = OnTick.Field()


SCHEMA = graphene.Schema(query=Query, subscription=Subscriptions)


TICKS = "subscription { onTick { n } }"


class Consumer(LiveConsumer):
    schema = SCHEMA


CONSUMER = Consumer.as_asgi()


urlpatterns = [path("graphql/", GraphQLView.as_view(schema=SCHEMA))]


def counted(limit):
    """Return how often `limit` was exceeded so far."""
    return REGISTRY.get_sample_value("wardcast_limits_exceeded_total", {"limit": limit}) or 0


async def post(query, **headers):
    body = json.dumps({"query": query})
    return await AsyncClient().post(URL, body, content_type="application/json", headers=headers)


# Seconds that no query takes which is not held up, also on a machine with other work.
AMPLE = 20
