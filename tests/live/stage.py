"""A small schema whose every hook can be held, and a client in this process: to force races."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace

import graphene
from channels.testing import WebsocketCommunicator
from graphene.types.generic import GenericScalar

from live.errors import Forbidden
from live.socket import session
from live.socket.consumer import LiveConsumer
from live.socket.protocol import TRANSPORT_WS
from live.subscription import Subscription

SECONDS = 5
SUBSCRIPTION = "subscription { onEvent { value } }"
INTROSPECTION = "query IntrospectionQuery { echo(value: 1) }"
USER = SimpleNamespace(pk=1, is_authenticated=True)


class Stage:
    """What the hooks of one test do: they note that they were called, and wait where told to."""

    def __init__(self):
        self.calls = []
        self.forbidden = False
        self.raises = set()
        self.error = RuntimeError
        self._called = defaultdict(asyncio.Event)
        self._held = {}

    def hold(self, *names):
        """Let the calls of these hooks wait until `release`."""
        self._held.update({name: asyncio.Event() for name in names})

    def release(self, name):
        self._held.pop(name).set()

    async def enter(self, name):
        """Be a hook."""
        self.calls.append(name)
        self._called[name].set()
        if name in self._held:
            await self._held[name].wait()
        if name in self.raises:
            raise self.error("Ada Lovelace")

    async def reached(self, name):
        """Return once the hook was called."""
        async with asyncio.timeout(SECONDS):
            await self._called[name].wait()

    def count(self, name):
        return self.calls.count(name)


class Plays:
    """Holds the stage of the running test, for hooks that are defined once."""

    stage: Stage


async def enter(name):
    """Be a hook of the running test."""
    await Plays.stage.enter(name)


class OnEvent(Subscription):
    """Tells of what is broadcast to a topic."""

    value = GenericScalar()

    class Arguments:
        topic = graphene.String()

    @staticmethod
    async def authorize(root, info, topic=None):
        await enter("authorize")
        if Plays.stage.forbidden:
            raise Forbidden()

    @staticmethod
    async def subscribe(root, info, topic=None):
        await enter("subscribe")
        return [topic or "all"]

    @staticmethod
    def publish(payload, info, topic=None):
        if payload == "boom":
            raise RuntimeError("Ada Lovelace")
        return OnEvent(value=object() if payload == "object" else payload)

    @staticmethod
    async def unsubscribed(root, info, topic=None):
        await enter("unsubscribed")


class OnShared(OnEvent):
    """The same, shared by an audience."""

    @staticmethod
    def audience(info, topic=None):
        if "audience" in Plays.stage.raises:
            raise RuntimeError("Ada Lovelace")
        return "everyone"

    @staticmethod
    def publish(payload, info, topic=None):
        return OnShared(value=payload)


class Query(graphene.ObjectType):
    """What can be asked."""

    echo = GenericScalar(value=GenericScalar())
    held = graphene.String()
    fails = graphene.String()

    @staticmethod
    async def resolve_echo(root, info, value=None):
        return value

    @staticmethod
    async def resolve_held(root, info):
        await enter("held")
        return "done"

    @staticmethod
    async def resolve_fails(root, info):
        raise RuntimeError("Ada Lovelace")


class Subscriptions(graphene.ObjectType):
    """What can be watched."""

    on_event = OnEvent.Field()
    on_shared = OnShared.Field()


class Consumer(LiveConsumer):
    """The sockets of the stage."""

    schema = graphene.Schema(query=Query, subscription=Subscriptions)

    async def on_connect(self, payload):
        await enter("on_connect")

    async def on_operation(self, op_id, payload):
        await enter("on_operation")


class Socket:
    """A client of the stage.

    Args:
        consumer_class: a subclass of Consumer.
        subprotocol: TRANSPORT_WS or LEGACY_WS.
        user: who is behind the socket.
        send: wraps the ASGI `send`, to hold frames up.
    """

    def __init__(self, consumer_class=Consumer, subprotocol=TRANSPORT_WS, user=None, send=None):
        self.is_legacy = subprotocol != TRANSPORT_WS
        application = consumer_class.as_asgi()

        async def on_stage(scope, receive, asgi_send):
            scope = {**scope, "user": user}
            await application(scope, receive, send(asgi_send) if send else asgi_send)

        self._wire = WebsocketCommunicator(on_stage, "/", subprotocols=[subprotocol])

    async def __aenter__(self):
        accepted, _ = await self._wire.connect(SECONDS)
        assert accepted
        return self

    async def __aexit__(self, failure, *exc_info):
        if not self._wire.future.done():
            await self._wire.disconnect(timeout=SECONDS)
        if failure is None:
            await settled()

    async def send(self, **message):
        await self._wire.send_json_to(message)

    async def send_text(self, text):
        await self._wire.send_input({"type": "websocket.receive", "text": text})

    async def init(self, **payload):
        """Initialise the connection; return the ack's payload."""
        await self.send(type="connection_init", payload=payload)
        ack = await self.receive()
        assert ack["type"] == "connection_ack", ack
        if self.is_legacy:
            assert await self.receive() == {"type": "ka"}
        return ack["payload"]

    async def start(self, query, id="1", **payload):
        kind = "start" if self.is_legacy else "subscribe"
        await self.send(id=id, type=kind, payload={"query": query, **payload})

    async def watch(self, query=SUBSCRIPTION, id="1"):
        """Subscribe, and return once it is registered; needs init(confirmSubscriptions=True)."""
        await self.start(query, id)
        assert (await self.receive())["payload"] == {"data": None}

    async def complete(self, id="1"):
        await self.send(id=id, type="stop" if self.is_legacy else "complete")

    async def receive(self):
        """Return the next message."""
        return await self._wire.receive_json_from(SECONDS)

    async def closed(self):
        """Return the code and reason of the close, which must be what comes next."""
        frame = await self._wire.receive_output(SECONDS)
        assert frame["type"] == "websocket.close", frame
        return frame["code"], frame["reason"]

    async def nothing_more(self):
        """Assert that nothing was sent that has not been received, and that the socket lives."""
        await settled()
        await self.send(type="probe" if self.is_legacy else "ping")
        kind = (await self.receive())["type"]
        assert kind == ("connection_error" if self.is_legacy else "pong")

    async def leave(self):
        """Go away, without a word to the protocol."""
        await self._wire.disconnect(code=1006, timeout=SECONDS)


async def settled():
    """Return once no session of this loop has work going on: a test before may have left some."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(SECONDS):
        while mine := {task for task in session._unfinished if task.get_loop() is loop}:
            await asyncio.wait(mine)


def payload_of(kind, message):
    """Return the payload of a message, which must be of this type."""
    assert message["type"] == kind, message
    return message["payload"]
