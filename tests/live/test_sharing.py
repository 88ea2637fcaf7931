"""Who shares a run and who does not, and what the library's interface promises of both."""

import asyncio
import contextlib
import threading

import graphene
import pytest
from django.db import connections
from graphene.types.generic import GenericScalar
from graphql import MiddlewareManager

from live import fanout
from live.consumer import LiveConsumer
from live.fanout import Hub
from live.protocol import CloseCode
from live.subscription import Subscription
from live.threads import from_memory
from tests.live.engine import until
from tests.live.stage import Socket, settled
from tests.live.wire import Wire, codes

SECRET = "Ada Lovelace"


class Record:
    """What the hooks of a test noted; a new one for each test."""

    runs: list
    threads: list
    ended: list
    gates: dict


@pytest.fixture(autouse=True)
def record():
    Record.runs, Record.threads, Record.ended, Record.gates = [], [], [], {}
    return Record


@pytest.fixture(autouse=True)
async def _clean():
    yield
    await settled()


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

    notification_queue_limit = 1

    @staticmethod
    async def publish(payload, info, room=None, other=None):
        Record.runs.append(payload)
        if "progress" in Record.gates:
            await Record.gates["progress"].wait()
        return OnProgress(n=payload)


class OnProgressOfThree(OnProgress):
    """The same, with the newest three."""

    notification_queue_limit = 3

    @staticmethod
    async def publish(payload, info, room=None, other=None):
        Record.runs.append(payload)
        if "progress" in Record.gates:
            await Record.gates["progress"].wait()
        return OnProgressOfThree(n=payload)


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


CLASSES = [
    OnTick,
    OnOwn,
    OnSync,
    OnMemory,
    OnProgress,
    OnProgressOfThree,
    OnClassMethods,
    OnPlainMethods,
]


class Subscriptions(graphene.ObjectType):
    """All of the above."""

    on_tick = OnTick.Field()
    on_own = OnOwn.Field()
    on_sync = OnSync.Field()
    on_memory = OnMemory.Field()
    on_progress = OnProgress.Field()
    on_progress_of_three = OnProgressOfThree.Field()
    on_class_methods = OnClassMethods.Field()
    on_plain_methods = OnPlainMethods.Field()


class Consumer(LiveConsumer):
    """Takes the ward from connection_init."""

    schema = graphene.Schema(query=Query, subscription=Subscriptions)

    async def on_connect(self, payload):
        self.scope["ward"] = payload.get("ward", "east")


TICK = "subscription ($room: String, $other: String) { onTick(room: $room, other: $other) { n } }"


async def connect(stack, ward="east", consumer=Consumer):
    return await stack.enter_async_context(Wire(consumer.as_asgi(), init={"ward": ward}))


@pytest.fixture
async def sockets():
    """Return a function that opens a socket of a ward; all are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_socket(ward="east", consumer=Consumer):
            return await connect(stack, ward, consumer)

        yield open_socket


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


# ---- who shares


async def test_equal_subscriptions_share_one_run(sockets):
    clients = [await sockets() for _ in range(3)]
    for number, client in enumerate(clients):
        # Equal whatever their order and their ids.
        pairs = [("room", "a"), ("other", "b")]
        variables = dict(pairs if number % 2 else reversed(pairs))
        assert await client.subscribe(TICK, f"id {number}", **variables) == []
    await OnTick.broadcast(group="a", payload=1)
    assert [await numbers(client, 1) for client in clients] == [[1]] * 3
    assert Record.runs == ["east"]


async def test_two_of_one_socket_share_too(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, "1", room="a") == []
    assert await client.subscribe(TICK, "2", room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    messages = [await client.receive(), await client.receive()]
    assert {message["id"] for message in messages} == {"1", "2"}
    assert Record.runs == ["east"]


@pytest.mark.parametrize(
    ("ward", "query", "variables"),
    [
        ("west", TICK, {"room": "a"}),
        ("east", TICK.replace("{ n }", "{ m: n n }"), {"room": "a"}),
        ("east", TICK.replace("$other: String", "$other: String = null"), {"room": "a"}),
        ("east", TICK, {"room": "a", "other": "b"}),
        ("east", TICK, {"room": "a", "other": None}),
    ],
)
async def test_others_have_their_own_run(sockets, ward, query, variables):
    one, other = await sockets(), await sockets(ward)
    assert await one.subscribe(TICK, room="a") == []
    assert await other.subscribe(query, **variables) == []
    await OnTick.broadcast(group="a", payload=1)
    assert [await numbers(one, 1), await numbers(other, 1)] == [[1], [1]]
    assert sorted(Record.runs) == sorted(["east", ward])


async def test_consumers_with_other_schemas_do_not_share(sockets):
    class Shouting(Consumer):
        schema = graphene.Schema(query=Query, subscription=Subscriptions)

    async def louder(following, root, info, **arguments):
        value = following(root, info, **arguments)
        value = await value if asyncio.iscoroutine(value) else value
        return value + 100 if isinstance(value, int) else value

    class Louder(Consumer):
        middleware = [louder]

    clients = [await sockets(consumer=kind) for kind in (Consumer, Shouting, Louder)]
    for client in clients:
        assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    assert [await numbers(client, 1) for client in clients] == [[1], [1], [101]]
    assert len(Record.runs) == 3


async def test_without_an_audience_each_has_a_run_and_a_context_of_its_own(sockets):
    one, other = await sockets("east"), await sockets("west")
    for client in (one, other):
        assert await client.subscribe("subscription { onOwn { n ward } }") == []
    await OnOwn.broadcast(payload=1)
    # What `subscribe` stored is there in `publish`.
    assert await one.event() == {"onOwn": {"n": 1, "ward": "east"}}
    assert await other.event() == {"onOwn": {"n": 1, "ward": "west"}}
    assert sorted(Record.runs) == ["east", "west"]


@pytest.mark.parametrize("how", sorted(REACHES))
async def test_a_shared_run_that_reaches_for_a_client_gets_an_error(sockets, how):
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload={"n": 1, "how": how})
    message = await client.receive()
    assert message["type"] == "next"
    assert codes(message["payload"]) == ["SHARED_CONTEXT"]


async def test_a_nested_field_of_a_shared_run_has_no_client_either(sockets):
    client = await sockets()
    query = TICK.replace("{ n }", "{ n nested }")
    assert await client.subscribe(query, room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    payload = (await client.receive())["payload"]
    assert payload["data"] == {"onTick": {"n": 1, "nested": None}}
    assert codes(payload) == ["SHARED_CONTEXT"]


async def test_an_error_of_one_run_is_masked_and_no_other_cohort_notices(sockets):
    one, other = await sockets("east"), await sockets("west")
    for client in (one, other):
        assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload={"n": 1, "how": "raise for east"})
    await OnTick.broadcast(group="a", payload=2)
    failed = await one.receive()
    assert failed["type"] == "next"
    assert codes(failed["payload"]) == ["INTERNAL"]
    assert await numbers(one, 1) == [2]
    assert await numbers(other, 2) == [1, 2]
    assert SECRET not in "".join(one.frames + other.frames)


# ---- order


async def test_an_event_in_two_groups_of_one_subscription_arrives_once(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, room="a", other="b") == []
    await OnTick.broadcast(group=["a", "b", "c"], payload=1)
    await OnTick.broadcast(payload=2)
    assert await numbers(client, 2) == [1, 2]
    assert len(Record.runs) == 2


@pytest.mark.django_db(transaction=True)
async def test_order_holds_across_sync_and_async_senders_and_groups(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, room="a", other="b") == []
    for number in range(0, 60, 3):
        await OnTick.broadcast(group="a", payload=number)
        await in_thread(OnTick.broadcast, group="b", payload=number + 1)
        await in_thread(OnTick.broadcast_sync, payload=number + 2)
    assert await numbers(client, 60) == list(range(60))


async def test_a_slow_publish_keeps_the_order(sockets):
    Record.gates["slow"] = asyncio.Event()
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload={"n": 1, "how": "slow"})
    await OnTick.broadcast(group="a", payload=2)
    await until(lambda: Record.runs)
    Record.gates["slow"].set()
    assert await numbers(client, 2) == [1, 2]


@pytest.mark.parametrize(("kind", "name"), [(OnSync, "live-worker"), (OnMemory, "MainThread")])
async def test_a_sync_publish_runs_in_a_thread_unless_it_reads_memory_only(sockets, kind, name):
    client = await sockets()
    field = kind.__name__.replace("On", "on")
    assert await client.subscribe(f"subscription {{ {field} {{ n }} }}") == []
    for number in range(20):
        await kind.broadcast(payload=number)
    assert await numbers(client, 20) == list(range(20))
    assert all(thread.startswith(name) for thread in Record.threads)
    assert len(Record.threads) == 20


# ---- confirmation


@pytest.mark.django_db(transaction=True)
async def test_what_is_broadcast_after_the_confirmation_is_never_missed(sockets):
    for number in range(30):
        client = await sockets()
        assert await client.subscribe(TICK, room=f"{number}") == []
        await in_thread(OnTick.broadcast, group=f"{number}", payload=number)
        assert await numbers(client, 1) == [number]


# ---- bounds


def held(gate):
    """Return a wrapper of `send` that holds notifications up until `gate` is set."""

    def wrap(send):
        async def wrapped(message):
            if '"onProgress' in message.get("text", "") or '"onTick"' in message.get("text", ""):
                await gate.wait()
            await send(message)

        return wrapped

    return wrap


async def notifications(socket):
    """Return what a stage's socket is told until it is told "last"."""
    got = []
    while not got or got[-1] != "last":
        message = await socket.receive()
        got.append(next(iter(message["payload"]["data"].values()))["n"])
    return got


@pytest.mark.parametrize(("kind", "kept"), [(OnProgress, 1), (OnProgressOfThree, 3)])
async def test_a_limit_keeps_the_newest_where_publish_is_slow(sockets, kind, kept):
    Record.gates["progress"] = asyncio.Event()
    client = await sockets()
    field = kind.__name__.replace("On", "on")
    assert await client.subscribe(f"subscription {{ {field} {{ n }} }}") == []
    for number in range(20):
        await kind.broadcast(payload=number)
    hub = Hub.current()
    await until(lambda: hub.number == 20)
    Record.gates["progress"].set()
    assert await numbers(client, kept + 1) == [0, *range(20 - kept, 20)]
    assert Record.runs == [0, *range(20 - kept, 20)]


@pytest.mark.parametrize(("kind", "kept"), [(OnProgress, 1), (OnProgressOfThree, 3)])
async def test_a_limit_keeps_the_newest_where_the_socket_is_slow(kind, kept):
    gate = asyncio.Event()
    field = kind.__name__.replace("On", "on")
    async with Socket(Consumer, send=held(gate)) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch(f"subscription {{ {field} {{ n }} }}")
        for number in [*range(19), "last"]:
            await kind.broadcast(payload=number)
        hub = Hub.current()
        await until(lambda: hub.number == 20 and all(c.is_idle for c in hub._cohorts.values()))
        gate.set()
        expected = [0, *range(20 - kept, 19), "last"]
        assert await notifications(socket) == expected


async def test_without_a_limit_a_slow_socket_is_closed_and_nothing_dropped_before(settings):
    settings.LIVE = {"OUTBOX_SIZE": 5}
    gate = asyncio.Event()
    async with Socket(Consumer, send=held(gate)) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch("subscription { onTick { n } }")
        for number in range(10):
            await OnTick.broadcast(payload=number)
        await until(lambda: len(Record.runs) >= 7)
        gate.set()
        for number in range(6):
            message = await socket.receive()
            assert message["payload"]["data"] == {"onTick": {"n": number}}
        assert (await socket.closed())[0] == CloseCode.TOO_SLOW


async def test_a_slow_publish_without_a_limit_closes_the_socket(settings, sockets):
    settings.LIVE = {"NOTIFICATION_QUEUE_LIMIT": 3}
    Record.gates["slow"] = asyncio.Event()
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    for number in range(5):
        await OnTick.broadcast(group="a", payload={"n": number, "how": "slow"})
    assert (await client.ended()).code == CloseCode.TOO_SLOW


# ---- ends


async def unsubscribe_async(group):
    await OnTick.unsubscribe(group=group)


async def unsubscribe_in_thread(group):
    await in_thread(OnTick.unsubscribe, group=group)


async def unsubscribe_sync(group):
    await in_thread(OnTick.unsubscribe_sync, group=group)


@pytest.mark.parametrize(
    "unsubscribe", [unsubscribe_async, unsubscribe_in_thread, unsubscribe_sync]
)
@pytest.mark.parametrize("group", ["a", None])
async def test_unsubscribe_ends_a_groups_subscriptions_and_no_other(sockets, unsubscribe, group):
    one, other = await sockets(), await sockets()
    assert await one.subscribe(TICK, "1", room="a") == []
    assert await one.subscribe("subscription { onOwn { n } }", "own") == []
    assert await other.subscribe(TICK, "2", room="b") == []
    await unsubscribe(group)
    assert await one.receive() == {"type": "complete", "id": "1"}
    if group is None:
        assert await other.receive() == {"type": "complete", "id": "2"}
    await OnOwn.broadcast(payload=1)
    assert await numbers(one, 1) == [1]
    await OnTick.broadcast(payload=2)
    if group is not None:
        assert await numbers(other, 1) == [2]
    # The id is free again.
    assert await one.subscribe(TICK, "1", room="a") == []


@pytest.mark.parametrize(("kind", "name"), [(OnClassMethods, "class"), (OnPlainMethods, "plain")])
async def test_hooks_may_be_class_methods_or_plain_ones(sockets, kind, name):
    client = await sockets()
    field = kind.__name__.replace("On", "on")
    assert await client.subscribe(f"subscription {{ {field} {{ n }} }}") == []
    await kind.broadcast(group=name, payload=7)
    assert await numbers(client, 1) == [7]
    await client.send(type="complete", id="1")
    await until(lambda: Record.ended == [name])


async def test_middleware_may_be_a_manager_as_the_readme_says(sockets):
    seen = []

    async def note(following, root, info, **arguments):
        seen.append(info.field_name)
        value = following(root, info, **arguments)
        return await value if asyncio.iscoroutine(value) else value

    class Managed(Consumer):
        middleware = MiddlewareManager(note)

    client = await sockets(consumer=Managed)
    assert await client.subscribe(TICK, room="a") == []
    await OnTick.broadcast(group="a", payload=1)
    assert await numbers(client, 1) == [1]
    assert "onTick" in seen


async def test_a_payload_of_another_release_is_told_as_an_error(sockets):
    client = await sockets()
    assert await client.subscribe(TICK, room="a") == []
    groups = OnTick.group_names("a")
    await fanout.send_to_hubs({"type": "live.event", "groups": groups, "payload": b"\x09x"})
    message = await client.receive()
    assert (message["type"], codes(message["payload"])) == ("next", ["INTERNAL"])
    await OnTick.broadcast(group="a", payload=2)
    assert await numbers(client, 1) == [2]
