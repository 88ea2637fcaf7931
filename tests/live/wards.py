"""A schema whose subscriptions are shared by wards, and what its hooks noted."""

import asyncio
import threading

import graphene
from django.db import connections
from graphene.types.generic import GenericScalar

from live.execution.resolvers import from_memory
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription
from tests.live.wire import Wire

SECRET = "Ada Lovelace"


class Record:
    """What the hooks of a test noted; a new one for each test."""

    runs: list
    threads: list
    ended: list
    gates: dict

    @classmethod
    def begin(cls):
        """Forget everything."""
        cls.runs, cls.threads, cls.ended, cls.gates = [], [], [], {}


class OnTick(Subscription):
    """Shared by all who are in a ward."""

    n = GenericScalar()
    nested = graphene.String()

    class Arguments:
        room = graphene.String()
        other = graphene.String()

    @staticmethod
    def audience(info, **arguments):
        return info.context.ward

    @staticmethod
    async def subscribe(root, info, room=None, other=None):
        return [name for name in (room, other) if name]

    @staticmethod
    async def publish(payload, info, room=None, other=None):
        how = payload.get("how") if isinstance(payload, dict) else None
        Record.runs.append(info.context.audience)
        if how in Record.gates:
            await Record.gates[how].wait()
        if how in REACHES:
            return OnTick(n=REACHES[how](info.context))
        if how == "raise":
            raise KeyError(SECRET)
        if how == f"raise for {info.context.audience}":
            raise KeyError(SECRET)
        return OnTick(n=payload["n"] if isinstance(payload, dict) else payload)

    async def resolve_nested(root, info):
        return info.context.user


# Ways in which a run may reach for a client.
REACHES = {
    "attribute": lambda c: c.user,
    "item": lambda c: c["user"],
    "socket": lambda c: c.channels_scope,
    "default": lambda c: getattr(c, "user", "nobody"),
    "hasattr": lambda c: hasattr(c, "session"),
    "get": lambda c: c.get("user"),
    "in": lambda c: "user" in c,
    "store": lambda c: setattr(c, "seen", 1),
}


class OnOwn(Subscription):
    """Not shared: each subscriber has a run with its own context."""

    n = GenericScalar()
    ward = graphene.String()

    @staticmethod
    async def subscribe(root, info):
        info.context.asked = info.context.ward

    @staticmethod
    async def publish(payload, info):
        Record.runs.append(info.context.ward)
        if payload == "raise" and info.context.ward == "east":
            raise KeyError(SECRET)
        return OnOwn(n=payload, ward=info.context.asked)


class OnSync(OnTick):
    """The same, published in a thread."""

    @staticmethod
    def publish(payload, info, room=None, other=None):
        Record.threads.append(threading.current_thread().name)
        return OnSync(n=payload)


class OnMemory(OnTick):
    """The same, published at once on the loop."""

    @staticmethod
    @from_memory
    def publish(payload, info, room=None, other=None):
        Record.threads.append(threading.current_thread().name)
        return OnMemory(n=payload)


class OnProgress(OnTick):
    """At most once, the newest wins."""

    durable = False
    notification_queue_limit = 1

    @classmethod
    async def publish(cls, payload, info, room=None, other=None):
        Record.runs.append(payload)
        if "progress" in Record.gates:
            await Record.gates["progress"].wait()
        return cls(n=payload)


class OnNewestThree(OnProgress):
    """The newest three win, of what is in the log."""

    durable = True
    notification_queue_limit = 3


class OnClassMethods(Subscription):
    """Its hooks are class methods, as the library allows."""

    n = graphene.Int()
    name = "class"

    @classmethod
    def subscribe(cls, root, info):
        return [cls.name]

    @classmethod
    def publish(cls, payload, info):
        return cls(n=payload)

    @classmethod
    def unsubscribed(cls, root, info):
        Record.ended.append(cls.name)


class OnPlainMethods(Subscription):
    """Its hooks are plain methods, as Graphene's are."""

    n = graphene.Int()

    def subscribe(self, info):
        return ["plain"]

    def publish(self, info):
        return OnPlainMethods(n=self)

    def unsubscribed(self, info):
        Record.ended.append("plain")


class Query(graphene.ObjectType):
    """There has to be one."""

    a = graphene.Int()


class Subscriptions(graphene.ObjectType):
    """All of the above."""

    on_tick = OnTick.Field()
    on_own = OnOwn.Field()
    on_sync = OnSync.Field()
    on_memory = OnMemory.Field()
    on_progress = OnProgress.Field()
    on_newest_three = OnNewestThree.Field()
    on_class_methods = OnClassMethods.Field()
    on_plain_methods = OnPlainMethods.Field()


class Consumer(LiveConsumer):
    """Takes the ward from connection_init."""

    schema = graphene.Schema(query=Query, subscription=Subscriptions)

    async def on_connect(self, payload):
        self.scope["ward"] = payload.get("ward", "east")


TICK = "subscription ($room: String, $other: String) { onTick(room: $room, other: $other) { n } }"


def field_of(kind):
    """Return the name of the field of a class."""
    return kind.__name__.replace("On", "on", 1)


async def connect(stack, ward="east", consumer=Consumer):
    """Return a socket of a ward, which `stack` closes."""
    return await stack.enter_async_context(Wire(consumer.as_asgi(), init={"ward": ward}))


async def numbers(socket, count):
    """Return what the next notifications say."""
    return [next(iter((await socket.event()).values()))["n"] for _ in range(count)]


async def in_thread(function, **arguments):
    """Call sync code as a command or another thread does."""

    def call():
        try:
            function(**arguments)
        finally:
            connections.close_all()

    await asyncio.to_thread(call)
