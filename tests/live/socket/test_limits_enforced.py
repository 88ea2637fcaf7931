"""Every limit of live/conf.py: exactly at it all is well, one past it is refused and counted."""

import asyncio
import json
import threading
import time
from pathlib import Path

import graphene
import pytest
from django.test import AsyncClient
from django.urls import path
from prometheus_client import REGISTRY

from live.conf import DEFAULTS
from live.execution import execution
from live.fanout import housekeeping
from live.http.views import GraphQLView
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription
from server.asgi import application
from tests.live.wire import SUBPROTOCOLS, Wire, codes

ROOT = Path(__file__).resolve().parents[3]
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

    @staticmethod
    def resolve_fast(root, info):
        return 1

    @staticmethod
    def resolve_child(root, info):
        return Query()

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


@pytest.fixture(autouse=True)
def _own_schema(settings, transactional_db):
    global BEGUN
    BEGUN = asyncio.Semaphore(0)  # one loop's only
    settings.ROOT_URLCONF = __name__
    # What was refused under another test's limits is remembered as refused.
    execution._documents.clear()


@pytest.fixture
def limit(settings):
    """Return a function that sets limits."""

    def set_limits(**values):
        assert values.keys() <= DEFAULTS.keys()
        settings.LIVE = values

    return set_limits


def counted(limit):
    """Return how often `limit` was exceeded so far."""
    return REGISTRY.get_sample_value("wardcast_limits_exceeded_total", {"limit": limit}) or 0


async def post(query, **headers):
    body = json.dumps({"query": query})
    return await AsyncClient().post(URL, body, content_type="application/json", headers=headers)


# ---- a document's cost

# name → (setting, limit's label, a document that costs n)
DOCUMENTS = {
    "tokens": ("MAX_QUERY_TOKENS", "tokens", lambda n: "{ " + "fast " * (n - 2) + "}"),
    "depth": (
        "MAX_QUERY_DEPTH",
        "depth",
        lambda n: "{ child " * (n - 1) + "{ fast }" + " }" * (n - 1),
    ),
    "fields": ("MAX_QUERY_FIELDS", "fields", lambda n: "{ " + "fast " * n + "}"),
    "fields in a fragment": (
        "MAX_QUERY_FIELDS",
        "fields",
        lambda n: "{ ...F } fragment F on Query { " + "fast " * n + "}",
    ),
    "fields of two operations": (
        "MAX_QUERY_FIELDS",
        "fields",
        lambda n: "query A { fast } query B { " + "fast " * (n - 1) + "}",
    ),
    "aliases": (
        "MAX_QUERY_ALIASES",
        "aliases",
        lambda n: "{ " + " ".join(f"a{i}: fast" for i in range(n)) + " }",
    ),
    "aliases by a fragment": (
        "MAX_QUERY_ALIASES",
        "aliases",
        lambda n: "{ " + "...F " * n + "} fragment F on Query { a: fast }",
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_document_over_a_socket(limit, case, subprotocol):
    setting, label, document = DOCUMENTS[case]
    most = 10
    # `fields of two operations` needs no operation name to be refused, one to be run.
    limit(**{setting: most})
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:
        before = counted(label)
        assert "QUERY_TOO_COMPLEX" not in codes(await wire.ask(document(most)))
        assert counted(label) == before
        for times in (1, 2):  # the second comes from the cache of documents
            response = await wire.ask(document(most + 1) + " " * most)
            assert codes(response) == ["QUERY_TOO_COMPLEX"]
            assert str(most) in response["errors"][0]["message"]
            assert counted(label) == before + times
        assert (await wire.ask("{ fast }"))["data"] == {"fast": 1}


@pytest.mark.parametrize("case", DOCUMENTS)
async def test_a_document_over_http(limit, case):
    setting, label, document = DOCUMENTS[case]
    limit(**{setting: 11})
    before = counted(label)
    assert "QUERY_TOO_COMPLEX" not in codes((await post(document(11))).json())
    assert counted(label) == before
    response = await post(document(12))
    assert codes(response.json()) == ["QUERY_TOO_COMPLEX"]
    assert counted(label) == before + 1


@pytest.mark.parametrize("case", DOCUMENTS)
async def test_a_document_at_the_default(case):
    setting, _, document = DOCUMENTS[case]
    most = DEFAULTS[setting]
    async with Wire(CONSUMER) as wire:
        if case != "tokens":  # so many are too many fields
            assert "QUERY_TOO_COMPLEX" not in codes(await wire.ask(document(most)))
        assert codes(await wire.ask(document(most + 1))) == ["QUERY_TOO_COMPLEX"]


def doubling(levels):
    """Return a document whose fields double with each fragment."""
    fragments = (f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels))
    return "{ ...F0 } " + " ".join(fragments) + f" fragment F{levels} on Query {{ fast }}"


async def test_fragments_that_double_are_counted_and_cost_no_time():
    async with Wire(CONSUMER) as wire:
        assert codes(await wire.ask(doubling(9))) == []  # 512 fields
        assert codes(await wire.ask(doubling(10))) == ["QUERY_TOO_COMPLEX"]  # 1024
        started = time.process_time()
        assert codes(await wire.ask(doubling(300))) == ["QUERY_TOO_COMPLEX"]  # 2^300
        assert time.process_time() - started < 2


async def test_fragments_in_a_circle_are_refused():
    async with Wire(CONSUMER) as wire:
        circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"
        assert set(codes(await wire.ask(circle))) == {"BAD_INPUT"}
        assert codes(await wire.ask("{ fast }")) == []


async def test_nesting_that_the_parser_cannot_follow_is_refused(limit):
    limit(MAX_QUERY_TOKENS=100_000)
    async with Wire(CONSUMER) as wire:
        deep = "{ child " * 5000 + "{ fast }" + " }" * 5000
        assert codes(await wire.ask(deep)) == ["QUERY_TOO_COMPLEX"]
        assert codes(await wire.ask("{ fast }")) == []


# ---- messages


def message_of(size):
    """Return a query in a message of exactly `size` bytes."""
    shell = json.dumps({"id": "1", "type": "subscribe", "payload": {"query": "{ fast } #"}})
    return shell[:-3] + "é" * ((size - len(shell)) // 2) + "x" * ((size - len(shell)) % 2) + '"}}'


@pytest.mark.parametrize("most", [1000, None])
async def test_message_bytes(limit, most):
    if most:
        limit(MAX_MESSAGE_BYTES=most)
    most = most or DEFAULTS["MAX_MESSAGE_BYTES"]
    before = counted("message_bytes")
    async with Wire(CONSUMER) as wire:
        assert len(message_of(most).encode()) == most
        await wire.send_text(message_of(most))
        assert (await wire.receive())["payload"] == {"data": {"fast": 1}}
        assert counted("message_bytes") == before
        await wire.send_text(message_of(most + 1))
        assert (await wire.ended()).code == 4413
    assert counted("message_bytes") == before + 1


async def test_body_bytes(limit):
    limit(MAX_MESSAGE_BYTES=100)
    before = counted("message_bytes")
    shell = len(json.dumps({"query": "{ fast } #"}))
    assert (await post("{ fast } #" + "x" * (100 - shell))).status_code == 200
    assert counted("message_bytes") == before
    assert (await post("{ fast } #" + "x" * (101 - shell))).status_code == 413
    assert counted("message_bytes") == before + 1


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_messages_at_once(limit, subprotocol):
    # So slow a refill that the test's own time does not matter.
    limit(MESSAGES_PER_SECOND=0.001, MESSAGES_AT_ONCE=3)
    before = counted("messages_per_second")
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:  # the first: connection_init
        assert codes(await wire.ask("{ fast }")) == []
        assert codes(await wire.ask("{ fast }")) == []
        assert counted("messages_per_second") == before
        await wire.start("{ fast }")
        assert (await wire.ended()).code == 4429
    assert counted("messages_per_second") == before + 1


async def test_messages_a_second_come_back(limit):
    limit(MESSAGES_PER_SECOND=1000, MESSAGES_AT_ONCE=2)
    async with Wire(CONSUMER) as wire:
        for _ in range(20):
            assert codes(await wire.ask("{ fast }")) == []
            await asyncio.sleep(0.005)  # the refill itself is what is tested


# ---- operations, subscriptions, sockets


async def test_operations_on_a_socket(limit):
    limit(MAX_OPERATIONS_PER_SOCKET=3, OPERATION_TIMEOUT=10)
    before = counted("operations_per_socket")
    async with Wire(CONSUMER) as wire:
        for n in range(3):
            await wire.start("{ never }", f"never {n}")
        for _ in range(3):
            await asyncio.wait_for(BEGUN.acquire(), AMPLE)
        assert counted("operations_per_socket") == before
        assert codes(await wire.ask("{ fast }", "late")) == ["TOO_MANY_OPERATIONS"]
        assert counted("operations_per_socket") == before + 1
    async with Wire(CONSUMER) as other:
        assert codes(await other.ask("{ fast }")) == []


async def test_subscriptions_do_not_count_as_operations(limit):
    limit(MAX_OPERATIONS_PER_SOCKET=2)
    async with Wire(CONSUMER) as wire:
        for n in range(5):
            assert await wire.subscribe(TICKS, str(n)) == []


async def test_operations_sent_at_once_count_without_the_subscriptions_among_them(limit):
    limit(MAX_OPERATIONS_PER_SOCKET=3, OPERATION_TIMEOUT=10)
    async with Wire(CONSUMER) as wire:
        for n in range(5):
            await wire.start(TICKS, f"tick {n}")
            await wire.start("{ never }", f"never {n}")
        messages = [await wire.receive() for _ in range(7)]
        taken = {message["id"] for message in messages if message["type"] == "next"}
        refused = [wire.errors_in(each) for each in messages if each["type"] == "error"]
        assert taken == {f"tick {n}" for n in range(5)}
        assert [codes({"errors": each}) for each in refused] == [["TOO_MANY_OPERATIONS"]] * 2


async def test_who_comes_back_may_subscribe_to_all_it_watches_at_once():
    """By the defaults, and without waiting for any answer."""
    most = DEFAULTS["MAX_SUBSCRIPTIONS_PER_SOCKET"]
    assert most > DEFAULTS["MAX_OPERATIONS_PER_SOCKET"]
    async with Wire(CONSUMER) as wire:
        assert await wire.subscribe(TICKS, "parsed") == []
        await wire.send(id="parsed", type="complete")
        for n in range(most):
            await wire.start(TICKS, str(n))
        messages = [await wire.receive() for _ in range(most)]
        assert {message["id"] for message in messages} == {str(n) for n in range(most)}
        assert {message["type"] for message in messages} == {"next"}


async def test_subscriptions_of_a_socket(limit):
    limit(MAX_SUBSCRIPTIONS_PER_SOCKET=3)
    before = counted("subscriptions_per_socket")
    async with Wire(CONSUMER) as wire, Wire(CONSUMER) as other:
        for n in range(3):
            assert await wire.subscribe(TICKS, str(n)) == []
        assert counted("subscriptions_per_socket") == before
        assert await wire.subscribe(TICKS, "one more") == ["TOO_MANY_SUBSCRIPTIONS"]
        assert counted("subscriptions_per_socket") == before + 1
        assert await other.subscribe(TICKS) == []
        await wire.send(id="0", type="complete")
        assert await wire.subscribe(TICKS, "again") == []


async def test_subscriptions_started_at_once_count_too(limit):
    limit(MAX_SUBSCRIPTIONS_PER_SOCKET=3)
    async with Wire(CONSUMER) as wire:
        for n in range(10):
            await wire.start(TICKS, str(n))
        kinds = [(await wire.receive())["type"] for _ in range(10)]
        assert sorted(kinds) == ["error"] * 7 + ["next"] * 3


async def test_subscriptions_of_a_user(limit, nurse, visitor):
    limit(MAX_SUBSCRIPTIONS_PER_USER=3)
    before = counted("subscriptions_per_user")
    async with Wire(CONSUMER, nurse) as one, Wire(CONSUMER, nurse) as two:
        assert await one.subscribe(TICKS, "1") == []
        assert await one.subscribe(TICKS, "2") == []
        assert await two.subscribe(TICKS, "1") == []
        assert counted("subscriptions_per_user") == before
        assert await two.subscribe(TICKS, "2") == ["TOO_MANY_SUBSCRIPTIONS"]
        assert counted("subscriptions_per_user") == before + 1
        async with Wire(CONSUMER, visitor) as other:
            assert await other.subscribe(TICKS) == []


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_sockets_of_a_user(limit, nurse, visitor, subprotocol):
    limit(MAX_SOCKETS_PER_USER=2)
    before = counted("sockets_per_user")
    async with Wire(CONSUMER, nurse), Wire(CONSUMER, nurse):
        assert counted("sockets_per_user") == before
        async with Wire(CONSUMER, nurse, subprotocol, init=False) as third:
            await third.send(type="connection_init")
            assert (await third.ended()).code == 4403
        assert counted("sockets_per_user") == before + 1
        async with Wire(CONSUMER, visitor), Wire(CONSUMER), Wire(CONSUMER), Wire(CONSUMER):
            pass
    async with Wire(CONSUMER, nurse), Wire(CONSUMER, nurse):
        pass


# ---- pages


@pytest.mark.parametrize("argument", ["first", "last"])
async def test_rows_of_a_page(settings, limit, nurse, argument):
    settings.ROOT_URLCONF = "server.urls"
    limit(MAX_PAGE_SIZE=3)
    client = AsyncClient()
    await client.aforce_login(nurse)
    # A query by GET needs no CSRF token.
    before = counted("page_size")

    async def page(size):
        query = f"{{ patients({argument}: {size}) {{ totalCount }} }}"
        return (await client.get(URL, {"query": query})).json()

    assert await page(3) == {"data": {"patients": {"totalCount": 0}}}
    assert counted("page_size") == before
    answer = await page(4)
    assert codes(answer) == ["BAD_INPUT"]
    assert answer["errors"][0]["message"] == f"{argument} may be 3 at most."
    assert counted("page_size") == before + 1


# ---- times


# Seconds that no query takes which is not held up, also on a machine with other work.
AMPLE = 20


@pytest.mark.parametrize("field", ["never", "blocked"])
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_seconds_for_an_operation(limit, subprotocol, field):
    before = counted("operation_timeout")
    GATE.clear()
    try:
        async with Wire(CONSUMER, subprotocol=subprotocol) as wire:
            limit(OPERATION_TIMEOUT=AMPLE)
            assert codes(await wire.ask("{ fast }")) == []
            assert counted("operation_timeout") == before
            limit(OPERATION_TIMEOUT=0.1)
            started = time.monotonic()
            assert codes(await wire.ask(f"{{ {field} }}")) == ["TIMEOUT"]
            assert time.monotonic() - started >= 0.1
            assert counted("operation_timeout") == before + 1
            limit(OPERATION_TIMEOUT=AMPLE)
            assert codes(await wire.ask("{ fast }")) == []
    finally:
        GATE.set()


@pytest.mark.parametrize("field", ["never", "blocked"])
async def test_seconds_for_an_operation_over_http(limit, field):
    limit(OPERATION_TIMEOUT=0.1)
    before = counted("operation_timeout")
    GATE.clear()
    try:
        accept = "application/graphql-response+json"
        response = await post(f"{{ {field} }}", accept=accept)
        assert (response.status_code, codes(response.json())) == (503, ["TIMEOUT"])
        assert counted("operation_timeout") == before + 1
        limit(OPERATION_TIMEOUT=AMPLE)
        assert (await post("{ fast }")).json() == {"data": {"fast": 1}}
    finally:
        GATE.set()


@pytest.fixture
def quick_pulse(monkeypatch):
    monkeypatch.setattr(housekeeping, "BEAT_SECONDS", 0.02)


@pytest.mark.usefixtures("quick_pulse")
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_seconds_before_init(limit, subprotocol):
    limit(CONNECTION_INIT_WAIT_TIMEOUT=0.2)
    before = counted("init")
    async with Wire(CONSUMER, subprotocol=subprotocol) as in_time:
        started = time.monotonic()
        async with Wire(CONSUMER, subprotocol=subprotocol, init=False) as late:
            await late.send(type="ping")  # no other message counts for it
            assert (await late.ended()).code == 4408
            assert time.monotonic() - started >= 0.2
        assert counted("init") == before + 1
        assert codes(await in_time.ask("{ fast }")) == []


@pytest.mark.usefixtures("quick_pulse")
async def test_seconds_idle(limit):
    limit(IDLE_TIMEOUT=0.2)
    before = counted("idle")
    async with Wire(CONSUMER) as busy, Wire(CONSUMER) as idle:
        assert await busy.subscribe(TICKS) == []
        assert (await idle.ended()).code == 4410
        assert counted("idle") == before + 1
        assert codes(await busy.ask("{ fast }", "2")) == []


@pytest.mark.usefixtures("quick_pulse")
async def test_pings_without_an_answer(limit):
    limit(SEND_PING_EVERY=0.05)
    before = counted("pong")
    async with Wire(CONSUMER) as wire:
        assert (await wire.ended()).code == 4410
        assert [json.loads(frame)["type"] for frame in wire.frames[1:]] == ["ping", "ping"]
    assert counted("pong") == before + 1


@pytest.mark.usefixtures("quick_pulse")
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_seconds_in_which_nothing_is_taken(limit, subprotocol):
    """The server waits with a frame for a client that does not read; others go on."""
    limit(SLOW_CLIENT_SECONDS=0.2)
    before = counted("slow_client")
    closes = {"code": "4411"}
    closed = REGISTRY.get_sample_value("wardcast_closes_total", closes) or 0
    async with Wire(CONSUMER, subprotocol=subprotocol) as reading:
        async with Wire(stuck_after_ack, subprotocol=subprotocol) as stuck:
            started = time.monotonic()
            await stuck.start("{ fast }")
            assert (await stuck.ended()).code == 4411
            assert time.monotonic() - started >= 0.2
        assert counted("slow_client") == before + 1
        assert REGISTRY.get_sample_value("wardcast_closes_total", closes) == closed + 1
        assert codes(await reading.ask("{ fast }")) == []


async def stuck_after_ack(scope, receive, send):
    """Be the consumer on a connection that takes no more than two frames."""
    taken = 0

    async def take(event):
        nonlocal taken
        taken += event["type"] == "websocket.send"
        if taken > 2 and event["type"] == "websocket.send":
            await asyncio.Event().wait()
        await send(event)

    await CONSUMER(scope, receive, take)


async def test_log_ins_that_fail(settings, nurse):
    settings.ROOT_URLCONF = "server.urls"
    keys = list(settings.LOGIN_FAILURE_LIMITS)
    settings.LOGIN_FAILURE_LIMITS = dict(zip(keys, (2, 100, 100), strict=True))
    settings.AXES_FAILURE_LIMIT = 2
    login = 'mutation { login(username: "nobody", password: "x") { ok } }'
    before = counted("login_failures")
    async with Wire(application) as wire:
        assert codes(await wire.ask(login)) == []
        assert counted("login_failures") == before
        assert codes(await wire.ask(login)) == ["RATE_LIMITED"]
        assert counted("login_failures") == before + 1


# ---- nothing forgotten

# Where each setting's limit is tested: here, or in a file; None is no limit of a client's.
TESTED = {
    "MAX_WORKER_THREADS": None,
    "DOCUMENT_CACHE_SIZE": None,
    "BROADCAST": "tests/live/log/test_append.py",
    "POLL_EVERY": "tests/live/fanout/test_follower.py",
    "EVENTS_IN_MEMORY": "tests/live/fanout/test_resume.py",
    "SEND_PING_EVERY": test_pings_without_an_answer,
    "CONNECTION_INIT_WAIT_TIMEOUT": test_seconds_before_init,
    "IDLE_TIMEOUT": test_seconds_idle,
    "OUTBOX_SIZE": "tests/live/socket/test_races.py",
    "NOTIFICATIONS_IN_OUTBOX": "tests/live/fanout/test_slow_clients.py",
    "SLOW_CLIENT_SECONDS": test_seconds_in_which_nothing_is_taken,
    "NOTIFICATION_QUEUE_LIMIT": "tests/live/fanout/test_slow_clients.py",
    "RECHECK_EVERY": "tests/live/identity/test_rights_cache.py",
    "MAX_MESSAGE_BYTES": test_message_bytes,
    "MAX_QUERY_TOKENS": test_a_document_over_a_socket,
    "MAX_QUERY_DEPTH": test_a_document_over_a_socket,
    "MAX_QUERY_FIELDS": test_a_document_over_a_socket,
    "MAX_QUERY_ALIASES": test_a_document_over_a_socket,
    "MAX_PAGE_SIZE": test_rows_of_a_page,
    "MAX_OPERATIONS_PER_SOCKET": test_operations_on_a_socket,
    "MAX_SUBSCRIPTIONS_PER_SOCKET": test_subscriptions_of_a_socket,
    "MAX_SUBSCRIPTIONS_PER_USER": test_subscriptions_of_a_user,
    "MAX_SOCKETS_PER_USER": test_sockets_of_a_user,
    "MESSAGES_PER_SECOND": test_messages_a_second_come_back,
    "MESSAGES_AT_ONCE": test_messages_at_once,
    "REQUESTS_PER_SECOND_OF_CLIENT": "tests/live/identity/test_rate_limits.py",
    "REQUESTS_AT_ONCE_OF_CLIENT": "tests/live/identity/test_rate_limits.py",
    "NEW_DOCUMENTS_PER_SECOND": "tests/live/identity/test_rate_limits.py",
    "NEW_DOCUMENTS_AT_ONCE": "tests/live/identity/test_rate_limits.py",
    "OPERATION_TIMEOUT": test_seconds_for_an_operation,
    "LOGIN_TOKEN_HOURS": "tests/server/test_accounts.py",
    "INTROSPECTION": "tests/live/execution/test_introspection.py",
}


def test_every_setting_is_tested():
    assert TESTED.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("name", [name for name, where in TESTED.items() if isinstance(where, str)])
def test_the_file_that_is_said_to_test_a_setting_does(name):
    assert name in (ROOT / TESTED[name]).read_text()
