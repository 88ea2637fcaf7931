"""The pulse: what it finds out by itself, and that nothing stops it."""

import asyncio
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from live import pulse
from live.auth import TOKEN_ID
from live.models import AccessToken
from live.pulse import Credentials, credentials, find_ended
from live.tokens import issue_token
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


@pytest.fixture
def quick(settings, monkeypatch):
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.01)
    settings.LIVE = {"RECHECK_EVERY": 0.02}


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
        self.heartbeat = SimpleNamespace(beat=self.beat)
        self.beats = 0
        self.fails = fails
        self.beaten = asyncio.Event()

    def beat(self, now):
        self.beats += 1
        if self.beats > 2:
            self.beaten.set()
        if self.fails:
            raise RuntimeError("Jane Doe")


async def beat_until(sockets, event):
    task = asyncio.create_task(pulse.beat_for_ever(sockets))
    try:
        async with asyncio.timeout(20):
            await event.wait()
    finally:
        task.cancel()


@pytest.mark.usefixtures("quick")
async def test_a_socket_that_fails_does_not_stop_the_pulse(caplog):
    failing = Socket(fails=True)
    await beat_until({failing}, failing.beaten)
    assert "The pulse missed a beat: RuntimeError" in caplog.text
    assert "Jane" not in caplog.text


@pytest.mark.usefixtures("quick")
async def test_a_socket_that_fails_does_not_keep_others_from_their_beat():
    failing, sound = Socket(fails=True), Socket()
    await beat_until([failing, sound], sound.beaten)


@pytest.mark.usefixtures("quick")
async def test_a_database_that_is_away_does_not_stop_the_pulse(nurse, monkeypatch, caplog):
    tries = []

    def fail(held):
        tries.append(held)
        raise ConnectionError("Jane Doe")

    monkeypatch.setattr(pulse, "find_ended", fail)
    socket = Socket()
    socket.scope = {"user": nurse}
    await beat_until({socket}, socket.beaten)
    second = Socket()
    second.scope = {"user": nurse}
    task = asyncio.create_task(pulse.beat_for_ever({second}))
    async with asyncio.timeout(20):
        while len(tries) < 2:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.005)
    task.cancel()
    assert "Jane" not in caplog.text
