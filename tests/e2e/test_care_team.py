"""The care team on two server processes with real PostgreSQL and Redis."""

import asyncio
import json
import signal

import psycopg
import pytest
from graphql_relay import from_global_id

from tests.conftest import require_program
from tests.e2e.clients import TIMEOUT, Browser, Client, Subscription
from tests.e2e.faults.installation import open_folder
from tests.e2e.forms import submit_form
from tests.e2e.programs import missing
from tests.e2e.servers import Server
from tests.e2e.services import postgres_binaries, postgres_server, redis_server

# So that a dead process is missed in seconds; half a minute is what production has.
LEASE_SECONDS = 3

STAFF = """
from django.contrib.auth.models import Permission, User
for name in ("editor", "chief"):
    user = User.objects.create_user(name, password=name, is_staff=True)
    rights = ("view_notice", "publish_notice")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
"""
DRAFT = """
from graphql_relay import to_global_id
from careteam.models import Notice
for title in {titles}:
    print(to_global_id("Notice", Notice.objects.create(title=title).pk))
"""
SEND = 'mutation ($text: String!) { sendChatMessage(chatroom: "coffee", text: $text) { ok } }'
ON_MESSAGE = 'subscription { onNewChatMessage(chatroom: "coffee") { text } }'
PUBLISH = "mutation ($id: ID!) { publishNotice(id: $id) { notice { title publishedAt } } }"
ON_NOTICE = "subscription { onNoticePublished { id title publishedAt } }"
ON_PRESENCE = """
  subscription { onPresence(chatroom: "coffee") { change participant present } }
"""
PRESENCE = '{ presence(chatroom: "coffee") }'
COME_AND_GO = """
import json, threading, time, uuid
from django.db import connection
from careteam import attendance
from careteam.models import Presence

told = []
def note(change, **_):
    told.append(change)
    time.sleep(0.02)  # within the transaction: the others come upon one that is not at its end

def come_and_go():
    for _ in range(10):
        seat = attendance.Seat(uuid.uuid4(), uuid.uuid4(), "lobby", "user:1", "ann")
        attendance.take(seat)
        attendance.leave([seat.id])
    connection.close()

attendance.presence_changed.connect(note)
threads = [threading.Thread(target=come_and_go) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([told, Presence.objects.filter(room__key="lobby").count()]))
"""


@pytest.fixture(scope="module")
def pair():
    """A Daphne and a uvicorn that share a database and a Redis."""
    redis = require_program("redis-server", "redis-server")
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    with open_folder() as folder:
        (folder / "postgres").mkdir()
        database = postgres_server(binaries, folder / "postgres")
        with redis_server(redis) as redis_url, database as database_url:
            environment = {
                "REDIS_URL": redis_url,
                "DATABASE_URL": database_url,
                "CARETEAM": json.dumps({"PRESENCE_LEASE_SECONDS": LEASE_SECONDS}),
            }
            first = Server(folder / "first", environment=environment).prepare()
            second = Server(folder / "second", kind="uvicorn", environment=environment)
            second._secret_key = first._secret_key
            first.shell(STAFF)
            first.start()
            second.start()
            yield first, second
            first.stop()
            second.stop()


# ---- chat


async def test_the_sender_is_told_on_other_sockets_whatever_process_has_them(pair):
    first, second = pair
    async with Client(first, "nurse") as sending, Client(second, "nurse") as other:
        told = [await client.subscribe(ON_MESSAGE) for client in (sending, other)]
        await sending.execute(SEND, {"text": "by the first"})
        await other.execute(SEND, {"text": "by the second"})
        assert await told[0].next() == {"onNewChatMessage": {"text": "by the second"}}
        assert await told[1].next() == {"onNewChatMessage": {"text": "by the first"}}


# ---- presence


async def join(client):
    """Subscribe to who is present; return once that is in force, whatever is told before."""
    op_id = await client._start(ON_PRESENCE, None)
    while (await client.receive(op_id))["payload"]["data"] is not None:
        pass
    return Subscription(client, op_id)


async def others(watching, count):
    """Return the next changes of others than the watcher, as (change, who, who is there then)."""
    changes = []
    while len(changes) < count:
        event = (await watching.next())["onPresence"]
        if event["participant"] != "visitor":
            changes.append((event["change"], event["participant"], event["present"]))
    return changes


async def test_who_was_present_by_a_killed_process_leaves(pair):
    """Once, and not who is also present by another one; who comes back joins again."""
    first, second = pair
    async with Client(first, "visitor") as client, Client(first, "demo") as stays:
        watching = await join(client)
        await join(stays)
        async with Client(second, "demo") as one, Client(second, "nurse") as two:
            await join(one)
            await join(two)
            assert await others(watching, 2) == [
                ("JOINED", "demo", ["demo", "visitor"]),
                ("JOINED", "nurse", ["demo", "nurse", "visitor"]),
            ]
            second.process.send_signal(signal.SIGKILL)
            second.process.wait()
            assert await others(watching, 1) == [("LEFT", "nurse", ["demo", "visitor"])]
            assert await client.execute(PRESENCE) == {"presence": ["demo", "visitor"]}
        second.start()
        async with Client(second, "nurse") as again:
            assert await again.execute(PRESENCE) == {"presence": ["demo", "visitor"]}
            await join(again)
            assert await others(watching, 1) == [("JOINED", "nurse", ["demo", "nurse", "visitor"])]
        assert await others(watching, 1) == [("LEFT", "nurse", ["demo", "visitor"])]


def test_many_who_come_and_go_at_once_are_announced_in_turn(pair):
    """Where transactions run side by side, as SQLite's do not: the first joins, the last leaves."""
    told, left_over = json.loads(pair[0].shell(COME_AND_GO))
    assert told
    assert len(told) % 2 == 0
    assert told == ["joined", "left"] * (len(told) // 2)
    assert left_over == 0


# ---- notices


def drafts(server, *titles):
    """Make drafts; return their ids."""
    return server.shell(DRAFT.format(titles=titles)).split()


async def by_mutation(server, user, id):
    """Publish a notice by GraphQL."""
    async with Client(server, user) as client:
        await client.execute(PUBLISH, {"id": id})


async def in_the_admin(server, user, id):
    """Publish a notice by the admin's action."""
    key = from_global_id(id).id
    async with Browser(server, user) as browser:
        path = "/admin/careteam/notice/"
        await submit_form(browser, path, action="publish", _selected_action=[key])


async def until_two_wait(database):
    """Return when two statements wait for a lock in PostgreSQL."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with asyncio.timeout(TIMEOUT):
        while (await (await database.execute(waiting)).fetchone())[0] < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("publish", [by_mutation, in_the_admin])
async def test_two_who_publish_at_once_are_one_event(pair, publish):
    """Each has seen the draft, and waits for the row, when the first of them may write it."""
    first, second = pair
    once, last = drafts(first, "Once", "Last")
    key = from_global_id(once).id
    url = first.environment["DATABASE_URL"]
    async with Client(first, "demo") as one, Client(second, "demo") as two:
        streams = [await client.subscribe(ON_NOTICE) for client in (one, two)]
        async with asyncio.TaskGroup() as both, await psycopg.AsyncConnection.connect(url) as held:
            await held.execute("SELECT 1 FROM careteam_notice WHERE id = %s FOR UPDATE", [key])
            both.create_task(publish(first, "editor", once))
            both.create_task(publish(second, "chief", once))
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as looking:
                await until_two_wait(looking)
        await by_mutation(second, "chief", last)
        for stream in streams:
            told = [(await stream.next())["onNoticePublished"] for _ in range(2)]
            assert [(event["id"], event["title"]) for event in told] == [
                (once, "Once"),
                (last, "Last"),
            ]
