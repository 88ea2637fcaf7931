"""The looks at all sockets: what they find out by themselves, and that nothing stops them."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from live.concurrency import scheduler
from live.concurrency.scheduler import Scheduler
from live.fanout import housekeeping
from live.fanout.housekeeping import Credentials, Crowd, Housekeeping, credentials, find_ended
from live.identity.identify import TOKEN_ID
from live.identity.tokens import issue_token
from live.models import AccessToken
from server.asgi import application
from tests.live.wire import SUBPROTOCOLS, Wire

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(nurse):
    client = Client()
    client.force_login(nurse)
    return client.session


def by_session(user, session):
    return Credentials(user.pk, session.session_key, None, user.password)


def test_what_an_identity_stands_on(nurse, session):
    assert credentials({"user": nurse, "session": session}) == by_session(nurse, session)
    # A token's socket may have come with a session too, which is not what counts.
    held = {"user": nurse, "session": session, TOKEN_ID: 7}
    assert credentials(held) == Credentials(nurse.pk, None, 7)
    assert credentials({"user": nurse}) == Credentials(nurse.pk, None, None)
    assert credentials({"user": AnonymousUser(), "session": session}) is None
    assert credentials({}) is None


def test_credentials_do_not_show_the_password(nurse, session):
    assert nurse.password not in repr(by_session(nurse, session))


def test_what_stands_has_not_ended(nurse, session):
    token, _ = issue_token(user=nurse, expires_in=None)
    stands = {
        by_session(nurse, session),
        Credentials(nurse.pk, None, token.pk),
        Credentials(nurse.pk, None, None),
    }
    assert find_ended(stands) == set()
    assert find_ended([]) == set()


ENDS = {
    "session deleted": lambda: Session.objects.all()._raw_delete("default"),
    "session expired": lambda: Session.objects.update(expire_date=timezone.now()),
    "deactivated": lambda: User.objects.update(is_active=False),
    "password": lambda: User.objects.update(password="other"),
    "deleted": lambda: User.objects.all()._raw_delete("default"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_session_that_ended_without_a_word_is_found(nurse, session, end):
    held = by_session(nurse, session)
    User.user_permissions.through.objects.all().delete()
    ENDS[end]()
    assert find_ended([held]) == {held}


@pytest.mark.parametrize(
    "end",
    [
        lambda: AccessToken.objects.update(expires_at=timezone.now()),
        lambda: AccessToken.objects.update(revoked_at=timezone.now()),
        lambda: AccessToken.objects.all()._raw_delete("default"),
        lambda: User.objects.update(is_active=False),
    ],
    ids=["expired", "revoked", "deleted", "deactivated"],
)
def test_a_token_that_ended_without_a_word_is_found(nurse, visitor, end):
    token, _ = issue_token(user=nurse, expires_in=None)
    held = Credentials(nurse.pk, None, token.pk)
    other = Credentials(visitor.pk, None, None)
    end()
    assert held in find_ended([held, other])


def test_one_end_is_not_anothers(nurse, visitor, session):
    client = Client()
    client.force_login(visitor)
    other = by_session(visitor, client.session)
    held = by_session(nurse, session)
    User.objects.filter(pk=nurse.pk).update(is_active=False)
    assert find_ended([held, other]) == {held}


def test_a_crowd_costs_as_many_queries_as_one(nurse, session, django_assert_num_queries):
    token, _ = issue_token(user=nurse, expires_in=None)
    crowd = [by_session(nurse, session), Credentials(nurse.pk, None, token.pk)]
    crowd += [Credentials(nurse.pk, f"key {n}", None, "x") for n in range(100)]
    with django_assert_num_queries(3):
        assert len(find_ended(crowd)) == 100


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_the_socket_of_an_ended_session_is_closed(nurse, session, visitor, subprotocol):
    cookie = (b"cookie", f"sessionid={session.session_key}".encode())
    async with (
        Wire(application, subprotocol=subprotocol, headers=(cookie,)) as wire,
        Wire(application, subprotocol=subprotocol) as nobody,
    ):
        assert await wire.subscribe("subscription { onNewPatient { message } }") == []
        await sync_to_async(ENDS["session deleted"])()
        assert (await wire.ended()).code == 4403
        assert (await nobody.ask("{ me { username } }"))["data"] == {"me": None}


class Socket:
    """A socket that counts its beats."""

    def __init__(self, fails=False):
        self.scope = {}
        self.beats = 0
        self.fails = fails
        self.beaten = asyncio.Event()
        self.looks = 0
        self.old = asyncio.Event()

    def rights_changed(self, user_ids):
        self.looks += 1

    def look_is_old(self):
        self.old.set()

    def beat(self, now):
        self.beats += 1
        if self.beats > 2:
            self.beaten.set()
        if self.fails:
            raise RuntimeError("Jane Doe")


def looking_after(sockets):
    """Look after `sockets`, as the hub does, until cancelled."""
    looks = Housekeeping(sockets, Scheduler())
    return asyncio.gather(looks.beat_for_ever(), looks.check_identities_for_ever())


async def beat_until(sockets, event):
    task = looking_after(sockets)
    try:
        async with asyncio.timeout(20):
            await event.wait()
    finally:
        task.cancel()


@pytest.mark.usefixtures("quick")
async def test_a_socket_that_fails_does_not_stop_the_looks(caplog):
    failing = Socket(fails=True)
    await beat_until({failing}, failing.beaten)
    assert "The look at the sockets failed: RuntimeError" in caplog.text
    assert "Jane" not in caplog.text


@pytest.mark.usefixtures("quick")
async def test_a_socket_that_fails_does_not_keep_others_from_their_beat():
    failing, sound = Socket(fails=True), Socket()
    await beat_until([failing, sound], sound.beaten)


@pytest.mark.usefixtures("quick")
async def test_a_database_that_is_away_does_not_stop_the_looks(nurse, monkeypatch, caplog):
    tries = []

    def fail(held):
        tries.append(held)
        raise ConnectionError("Jane Doe")

    monkeypatch.setattr(housekeeping, "find_ended", fail)
    socket = Socket()
    socket.scope = {"user": nurse}
    await beat_until({socket}, socket.beaten)
    second = Socket()
    second.scope = {"user": nurse}
    task = looking_after({second})
    async with asyncio.timeout(20):
        while len(tries) < 2:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.005)
    task.cancel()
    assert "Jane" not in caplog.text


@pytest.mark.usefixtures("quick")
async def test_a_database_that_hangs_does_not_hold_up_the_beat(nurse, monkeypatch):
    asked, gate = threading.Event(), threading.Event()

    def hang(held):
        asked.set()
        assert gate.wait(20)
        return set()

    monkeypatch.setattr(housekeeping, "find_ended", hang)
    socket = Socket()
    socket.scope = {"user": nurse}
    task = looking_after({socket})
    try:
        assert await asyncio.to_thread(asked.wait, 20)
        beats = socket.beats
        async with asyncio.timeout(20):
            while socket.beats < beats + 3:  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.005)
    finally:
        gate.set()
        task.cancel()


async def test_a_crowds_identities_are_asked_for_in_parts(nurse, monkeypatch):
    asked = []

    def find(held):
        asked.append(len(held))
        return {c for c in held if c.session_key == "key 3"}

    monkeypatch.setattr(housekeeping, "find_ended", find)
    monkeypatch.setattr(housekeeping, "IDENTITIES_AT_ONCE", 2)
    sockets = [Socket() for _ in range(6)]
    for number, socket in enumerate(sockets[:5]):
        session = SimpleNamespace(session_key=f"key {number}")
        socket.scope = {"user": nurse, "session": session}
    await housekeeping._check_identities(Crowd(Scheduler(), sockets))
    assert asked == [2, 2, 1]
    assert [socket.looks for socket in sockets] == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("what", ["beat", "identities"])
async def test_the_loop_has_its_turns_in_a_crowd(nurse, monkeypatch, what):
    """However long the sockets take together: here one is as much as a turn may have."""
    monkeypatch.setattr(scheduler, "HOUSEKEEPING_SECONDS", 0)
    monkeypatch.setattr(housekeeping, "find_ended", set)
    other, seen = [0], []

    async def other_work():
        while True:
            other[0] += 1
            await asyncio.sleep(0)

    def note(_):
        seen.append(other[0])

    sockets = [Socket() for _ in range(20)]
    for socket in sockets:
        socket.scope = {"user": nurse}
        socket.beat = socket.rights_changed = note
    task = asyncio.create_task(other_work())
    looks = Housekeeping(set(sockets), Scheduler())
    look = {"beat": looks._beat, "identities": looks._check_identities}[what]
    await look(Crowd(Scheduler(), sockets))
    task.cancel()
    assert len(seen) == len(set(seen)) == 20


@pytest.mark.usefixtures("quick")
async def test_looks_that_come_to_no_end_are_too_old(nurse, monkeypatch):
    """As where the database does not answer: who was logged out would get events."""
    monkeypatch.setattr(housekeeping, "GRACE_SECONDS", 0.05)
    socket = Socket()
    socket.scope = {"user": nurse}
    gate = threading.Event()
    monkeypatch.setattr(housekeeping, "find_ended", lambda held: gate.wait(20) and set())
    try:
        await beat_until({socket}, socket.old)
    finally:
        gate.set()


async def test_a_loop_that_was_held_up_does_not_make_looks_too_old(nurse, monkeypatch):
    looks = Housekeeping(set(), Scheduler())
    socket = Socket()
    crowd = Crowd(Scheduler(), [socket])
    now = time.monotonic()
    for hours in range(3):
        monkeypatch.setattr(time, "monotonic", lambda hours=hours: now + 3600 * hours)
        await looks._beat(crowd)
    assert not socket.old.is_set()
