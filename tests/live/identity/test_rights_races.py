"""Rights that change in the midst of something: what began with the former ones does not end so."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from channels.sessions import CookieMiddleware
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from live.concurrency.scheduler import Scheduler
from live.concurrency.threads import in_worker_thread
from live.fanout.hub import Hub
from live.identity import identify, rights_cache
from live.identity.tokens import issue_token, revoke_token
from live.log import records
from live.log.append import one_batch, write
from live.socket import handshake, operation
from live.socket.handshake import SessionUser
from tests.conftest import make_user
from tests.live import stage as on_stage
from tests.live import wards
from tests.live.engine import until
from tests.live.secret import (
    HELD,
    REACHED,
    SECRETS,
    Consumer,
    OnSecret,
    lose_permission,
    pass_by,
    within,
)
from tests.live.stage import USER, OnEvent, payload_of
from tests.live.wire import SUBPROTOCOLS, Wire, codes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user(transactional_db):
    return make_user("somebody", "view_patient")


@pytest.fixture(autouse=True)
def _no_rechecks(settings):
    """What is not told is not seen either: else the pulse would find it, a second later."""
    settings.LIVE = {"RECHECK_EVERY": 3600}


# ---- while a document is parsed


@pytest.fixture
def held_parsing(hold, monkeypatch):
    """Return a function that holds what is parsed from then on, at "parsing"."""
    real = operation.prepare

    async def slow(*arguments):
        document = await real(*arguments)
        await pass_by("parsing")
        return document

    monkeypatch.setattr(operation, "prepare", slow)
    return lambda: hold("parsing")


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize("query", ["{ secret }", SECRETS])
async def test_what_is_parsed_meanwhile_runs_with_the_new_rights(
    user, held_parsing, held_look, subprotocol, query
):
    async with Wire(Consumer.as_asgi(), user, subprotocol) as wire:
        assert (await wire.ask("{ secret }"))["data"] == {"secret": "secret"}
        held_parsing()
        await wire.start(query)
        await within(20, REACHED["parsing"])
        asked, go_on = held_look()
        await lose_permission(user)
        await within(20, asked)
        HELD.pop("parsing").set()
        # Another's whole way takes longer than the first steps of this one.
        async with Wire(Consumer.as_asgi()) as other:
            assert (await other.ask("{ __typename }"))["data"]
        go_on.set()
        message = await wire.receive()
        assert codes(message["payload"]) == ["FORBIDDEN"]
        assert message["payload"]["data"] in (None, {"secret": None})
        assert (await wire.receive())["type"] == "complete"
        await OnSecret.broadcast_async(payload="told")
        (session,) = Hub.current().sockets
        await session.rights.settled()
        assert not session.closed
        assert "told" not in "".join(wire.frames)


async def test_who_loses_interest_while_it_is_parsed_opens_nothing(stage, monkeypatch):
    real = operation.prepare

    async def slow(*arguments):
        document = await real(*arguments)
        await stage.enter("parsing")
        return document

    monkeypatch.setattr(operation, "prepare", slow)
    stage.hold("parsing")
    async with on_stage.Socket() as socket:
        await socket.init()
        await socket.start(on_stage.SUBSCRIPTION)
        await stage.reached("parsing")
        await socket.complete()
        await socket.send(type="ping")
        assert (await socket.receive())["type"] == "pong"
        stage.release("parsing")
        await socket.nothing_more()
    assert stage.count("authorize") == stage.count("subscribe") == 0


# ---- while it is found out who is there


class Gate:
    """Holds a thread once it has the result of `function`."""

    def __init__(self, function):
        self._function = function
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, *arguments):
        found = self._function(*arguments)
        self.reached.set()
        assert self.open.wait(20)
        return found

    async def changed_meanwhile(self, change):
        """Have rights change, and the hub hear of it, before the function returns."""
        assert await asyncio.to_thread(self.reached.wait, 20)
        before = rights_cache.clearings()
        await sync_to_async(change)()
        await until(lambda: rights_cache.clearings() != before)
        self.open.set()


@pytest.fixture
async def _hearing(transactional_db):
    """Have the hub listen already, for somebody else."""
    async with Wire(Consumer.as_asgi()):
        await Hub.current().listening()
        yield


def deactivate(user):
    """End whatever `user` may do."""
    user.is_active = False
    user.save()


@pytest.mark.usefixtures("_hearing")
async def test_who_is_locked_out_while_the_session_is_found_does_not_get_in(user, monkeypatch):
    client = Client()
    await sync_to_async(client.force_login)(user, "django.contrib.auth.backends.ModelBackend")
    cookie = (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())
    find, gate = handshake.find_session, Gate(lambda found: found)

    async def slow(key):
        return await in_worker_thread(gate)(await find(key))

    monkeypatch.setattr(handshake, "find_session", slow)
    application = CookieMiddleware(SessionUser(Consumer.as_asgi()))
    changing = asyncio.create_task(gate.changed_meanwhile(lambda: deactivate(user)))
    async with Wire(application, headers=(cookie,), init=False) as wire:
        await changing
        assert (await wire.ended()).code == 4403


@pytest.mark.usefixtures("_hearing")
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_whose_token_ends_while_it_is_looked_up_does_not_get_in(
    user, monkeypatch, subprotocol
):
    token, secret = await sync_to_async(issue_token)(user=user, expires_in=None)
    gate = Gate(identify.identify)
    monkeypatch.setattr(identify, "identify", gate)
    async with Wire(Consumer.as_asgi(), subprotocol=subprotocol, init=False) as wire:
        await wire.send(type="connection_init", payload={"authorization": f"Bearer {secret}"})
        await gate.changed_meanwhile(lambda: revoke_token(token=token))
        assert (await wire.ended()).code == 4403


# ---- who is not logged in, or not yet


async def test_what_nobody_watches_anonymously_any_more_ends(stage, subprotocol):
    async with on_stage.Socket(subprotocol=subprotocol) as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch()
        stage.forbidden = True
        await in_worker_thread(write)(records.rights(None))
        assert (await socket.receive())["type"] == "error"
        await OnEvent.broadcast(group="all", payload=1)
        await socket.nothing_more()  # and the socket stays


async def test_a_look_goes_round_again_where_somebody_logged_in_meanwhile(stage, monkeypatch):
    """As by a mutation that goes on for long after it, and whose end would be the next look."""
    async with on_stage.Socket() as socket:
        await socket.init(confirmSubscriptions=True)
        await socket.watch()
        (session,) = Hub.current().sockets
        await session.rights.settled()
        seen = []

        def present_user(scope):
            seen.append(scope["user"])
            if len(seen) == 1:
                scope["user"] = USER
                return AnonymousUser()
            return scope["user"]

        monkeypatch.setattr(identify, "present_user", present_user)
        await in_worker_thread(write)(records.rights(None))
        await OnEvent.broadcast(group="all", payload=1)
        event = payload_of("next", await socket.receive())
        assert event == {"data": {"onEvent": {"value": 1}}}
        assert seen[1:] == [USER]
        assert session.scope["user"] is USER


# ---- the last event


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_an_event_right_after_a_kick_is_not_for_who_was_kicked(
    user, visitor, monkeypatch, subprotocol
):
    """Both come in one message and one turn of the loop, and the event is run at once."""
    monkeypatch.setattr(Scheduler, "is_over", False)

    @in_worker_thread
    def write_both():
        with one_batch():
            write(records.kick([user.pk]))
            wards.OnMemory.broadcast(group="r", payload=1)

    wards.Record.begin()
    query = 'subscription { onMemory(room: "r") { n } }'
    application = wards.Consumer.as_asgi()
    async with (
        Wire(application, user, subprotocol) as wire,
        Wire(application, visitor, subprotocol) as other,
    ):
        for each in (wire, other):
            assert await each.subscribe(query) == []
        had = len(wire.frames)
        await write_both()
        assert (await wire.ended()).code == 4403
        assert len(wire.frames) == had
        assert (await other.event())["onMemory"]["n"] == 1
