"""The library's interface as its README has it, where it takes a socket to see it."""

import asyncio

import graphene
import pytest
from django.contrib.auth.models import AnonymousUser
from graphql import GraphQLError

from live.errors import Forbidden, RateLimited
from live.execution.resolvers import from_memory
from live.socket.consumer import LiveConsumer
from live.socket.protocol import LEGACY_WS, TRANSPORT_WS
from live.subscription import Subscription
from tests.live import wire as wire_module
from tests.live.wire import Ended, Wire, codes

seen: dict[str, object] = {}


class OnWord(Subscription):
    """A word, with what the operation's hooks stored; a run for each subscriber."""

    word = graphene.String(required=True)
    stored = graphene.String()
    count = graphene.Int()

    class Arguments:
        store = graphene.String()

    @staticmethod
    @from_memory
    def authorize(root, info, store=None):
        return f"may {store}"

    @staticmethod
    @from_memory
    def subscribe(root, info, store=None):
        info.context.stored = store
        seen["authorized in subscribe"] = info.context.authorized

    @staticmethod
    @from_memory
    def publish(payload, info, store=None):
        info.context.count = info.context.get("count", 0) + 1
        stored = f"{info.context.stored} {info.context.authorized}"
        return OnWord(word=payload, stored=stored, count=info.context.count)

    @staticmethod
    @from_memory
    def unsubscribed(root, info, store=None):
        seen["count at the end"] = info.context.count


class OnSharedWord(Subscription):
    """A word, shared by those whom `authorize` gave the same."""

    word = graphene.String(required=True)

    @staticmethod
    @from_memory
    def authorize(root, info):
        return "everybody's"

    @staticmethod
    @from_memory
    def audience(info):
        return info.context.authorized

    @staticmethod
    @from_memory
    def publish(payload, info):
        runs.append(info.context.audience)
        return OnSharedWord(word=payload)


class OnPassingWord(OnSharedWord):
    """The same, past the log."""

    durable = False


runs: list[str] = []


class Query(graphene.ObjectType):
    channel = graphene.String()

    @staticmethod
    async def resolve_channel(root, info):
        return info.context.channel_name


class Subscriptions(graphene.ObjectType):
    on_word = OnWord.Field()
    on_shared_word = OnSharedWord.Field()
    on_passing_word = OnPassingWord.Field()


class Consumer(LiveConsumer):
    schema = graphene.Schema(query=Query, subscription=Subscriptions)


@pytest.fixture(autouse=True)
def _clear(transactional_db):
    seen.clear()
    runs.clear()


def connect(consumer=Consumer, subprotocol=TRANSPORT_WS, **options):
    return Wire(consumer.as_asgi(), AnonymousUser(), subprotocol, **options)


# ---- the context


async def test_each_operation_has_a_context_of_its_own():
    query = "subscription ($s: String) { onWord(store: $s) { word stored count } }"
    async with connect() as wire:
        assert await wire.subscribe(query, "1", s="first") == []
        assert await wire.subscribe(query, "2", s="second") == []
        for count in (1, 2):
            await OnWord.broadcast_async(payload="hi")
            told = [(await wire.event())["onWord"] for _ in range(2)]
            assert {event["stored"] for event in told} == {"first may first", "second may second"}
            assert [event["count"] for event in told] == [count, count]
        assert seen["authorized in subscribe"] == "may second"
        await wire.send(id="1", type="complete")
    await wire_settled()
    assert seen["count at the end"] == 2


async def wire_settled():
    async with asyncio.timeout(wire_module.TIMEOUT):
        while "count at the end" not in seen:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.001)


async def test_audience_has_what_authorize_returned():
    async with connect() as wire:
        assert await wire.subscribe("subscription { onSharedWord { word } }") == []
        await OnSharedWord.broadcast_async(payload="hi")
        assert await wire.event() == {"onSharedWord": {"word": "hi"}}
    assert runs == ["everybody's"]


# ---- not to the sender


@pytest.mark.parametrize(
    ("kind", "field"), [(OnSharedWord, "onSharedWord"), (OnPassingWord, "onPassingWord")]
)
async def test_a_broadcast_leaves_one_socket_out_and_is_run_once_for_the_others(kind, field):
    query = f"subscription {{ {field} {{ word }} }}"
    async with connect() as one, connect() as two, connect() as three:
        wires = [one, two, three]
        names = [(await wire.ask("{ channel }"))["data"]["channel"] for wire in wires]
        assert len(set(names)) == 3
        for wire in wires:
            assert await wire.subscribe(query, "w") == []
        await kind.broadcast_async(payload="not to one", exclude_channel=names[0])
        await kind.broadcast_async(payload="to all")
        for wire in (two, three):
            assert (await wire.event())[field] == {"word": "not to one"}
        for wire in wires:
            assert (await wire.event())[field] == {"word": "to all"}
    assert len(runs) == 2


async def test_who_comes_back_is_told_of_its_own():
    query = "subscription ($after: String) { onSharedWord(after: $after) { cursor word } }"
    async with connect() as one:
        name = (await one.ask("{ channel }"))["data"]["channel"]
        assert await one.subscribe(query, "w") == []
        await OnSharedWord.broadcast_async(payload="first")
        cursor = (await one.event())["onSharedWord"]["cursor"]
        await OnSharedWord.broadcast_async(payload="own", exclude_channel=name)
        # On this socket it is left out, also where the log is read for it.
        assert await one.subscribe(query, "again", after=cursor) == []
        await OnSharedWord.broadcast_async(payload="last")
        assert {(await one.event())["onSharedWord"]["word"] for _ in range(2)} == {"last"}
    async with connect() as again:
        assert await again.subscribe(query, "w", after=cursor) == []
        assert (await again.event())["onSharedWord"]["word"] == "own"


# ---- the confirmation, and other settings


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"data": None, "errors": None}, {"data": None}),
        ({"data": None}, {"data": None}),
        ({"data": {"ok": True}, "errors": []}, {"data": {"ok": True}}),
    ],
)
async def test_the_confirmation_may_be_as_the_librarys(subprotocol, given, told):
    class Confirming(Consumer):
        subscription_confirmation_message = given

    async with connect(Confirming, subprotocol) as wire:
        await wire.start("subscription { onSharedWord { word } }")
        assert (await wire.receive())["payload"] == told
        await OnSharedWord.broadcast_async(payload="goes on")
        assert await wire.event() == {"onSharedWord": {"word": "goes on"}}


async def test_pings_can_be_switched_off():
    class Silent(Consumer):
        send_ping_every = None

    async with connect(Silent, init=False) as wire:
        await wire.send(type="connection_init")
        assert (await wire.receive())["payload"]["ping"] is None


@pytest.mark.usefixtures("quick")
async def test_on_connect_may_set_how_often_pings_come():
    class Pinging(Consumer):
        send_ping_every = None

        async def on_connect(self, payload):
            self.send_ping_every = 0.01

    async with connect(Pinging) as wire:
        assert (await wire.ended()).code == 4410  # none was answered
        assert wire.frames[1:] == ['{"type":"ping"}'] * 2


async def test_on_connect_may_have_subscriptions_confirmed(subprotocol):
    class Confirming(Consumer):
        async def on_connect(self, payload):
            self.confirm_subscriptions = True

    async with connect(Confirming, subprotocol, init={"confirmSubscriptions": False}) as wire:
        assert await wire.subscribe("subscription { onSharedWord { word } }") == []


async def test_a_slow_operation_is_a_warning_that_does_not_quote_the_client(caplog):
    class Warned(Consumer):
        warn_operation_timeout = 0

    async with connect(Warned) as wire:
        assert codes(await wire.ask("query Ada { channel }")) == []
        assert codes(await wire.ask("query Ada { channel }")) == []
    lines = [
        record.getMessage() for record in caplog.records if record.name == "live.socket.operation"
    ]
    assert lines
    assert lines[0].startswith("An operation took 0.")
    assert "Ada" not in caplog.text


# ---- refusals


async def test_the_log_names_what_on_connect_raised_not_its_cause(caplog):
    class Failing(Consumer):
        async def on_connect(self, payload):
            raise RuntimeError("Ada") from ValueError("Lovelace")

    caplog.set_level("DEBUG", "live.socket.session")
    async with connect(Failing, init=False) as wire:
        await wire.send(type="connection_init")
        assert (await wire.ended()).code == 4403
    assert "The connection was refused (RuntimeError)" in caplog.text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Forbidden("This ward is closed at night."), "This ward is closed at night."),
        (Forbidden("é" * 100), "é" * 61),
        (RuntimeError("Ada Lovelace"), "The connection was refused"),
        (GraphQLError("Ada Lovelace"), "The connection was refused"),
        (RateLimited("Come back later.", limit="test"), "Come back later."),
    ],
)
async def test_on_connect_tells_the_text_of_our_own_errors(subprotocol, error, told):
    class Refusing(Consumer):
        async def on_connect(self, payload):
            raise error

    async with connect(Refusing, subprotocol, init=False) as wire:
        await wire.send(type="connection_init")
        if subprotocol == LEGACY_WS:
            message = await wire.receive()
            assert message["type"] == "connection_error"
            assert message["payload"]["message"].startswith(told)
        with pytest.raises(Ended) as end:
            await wire.receive()
    assert (end.value.code, end.value.reason) == (4403, told)


@pytest.mark.parametrize(
    "selection",
    [
        "onSharedWord @skip(if: true) { word }",
        "onSharedWord @include(if: false) { word }",
        "... @skip(if: true) { onSharedWord { word } }",
    ],
)
async def test_a_subscription_whose_field_is_skipped_is_the_clients_error(
    subprotocol, selection, caplog
):
    async with connect(subprotocol=subprotocol) as wire:
        assert await wire.subscribe(f"subscription {{ {selection} }}") == ["BAD_INPUT"]
        query = "subscription ($no: Boolean!) { onSharedWord @skip(if: $no) { word } }"
        # Validation knows no variables: it refuses one here, whatever its value. GraphQL's
        # specification of September 2025 forbids both directives at a subscription's root.
        for value in (True, False):
            assert await wire.subscribe(query, "2", no=value) == ["BAD_INPUT"]
        query = "subscription { onSharedWord @skip(if: false) { word } }"
        assert await wire.subscribe(query, "3") == []
    assert [r for r in caplog.records if r.levelname in ("ERROR", "WARNING")] == []


async def test_an_empty_operation_name_names_no_operation(subprotocol):
    async with connect(subprotocol=subprotocol) as wire:
        kind = "start" if subprotocol == LEGACY_WS else "subscribe"
        payload = {"query": "{ channel }", "operationName": ""}
        await wire.send(id="1", type=kind, payload=payload)
        [error] = wire.errors_in(await wire.receive())
        assert error["extensions"]["code"] == "BAD_INPUT"
