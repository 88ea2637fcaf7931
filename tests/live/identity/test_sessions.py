"""Who is behind a session's cookie at a socket's handshake: as Django has it over HTTP."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import AsyncClient, Client
from django.utils import timezone

from live.identity.sessions import find_session, find_sessions
from server.asgi import application
from tests.live.wire import SUBPROTOCOLS, Wire

pytestmark = pytest.mark.django_db(transaction=True)

ME = "{ me { username } }"
UNKNOWN = "x" * 32


def key_of(user):
    """Log `user` in; return the session's key."""
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client.session.session_key


@pytest.fixture
def key(nurse):
    return key_of(nurse)


async def over_http(key):
    client = AsyncClient()
    client.cookies["sessionid"] = key
    answer = await client.get("/graphql/", {"query": ME})
    return answer.json()["data"]["me"]


async def over_a_socket(key, subprotocol="graphql-transport-ws"):
    cookie = (b"cookie", f"sessionid={key}".encode())
    async with Wire(application, subprotocol=subprotocol, headers=(cookie,)) as wire:
        return (await wire.ask(ME))["data"]["me"]


def names(keys):
    return [user.username for _, user in find_sessions(keys)]


def test_each_key_gets_its_session_and_user(nurse, doctor, key):
    keys = [key, UNKNOWN, key_of(doctor), key]
    found = find_sessions(keys)
    assert [user.username for _, user in found] == ["nurse", "", "doctor", "nurse"]
    assert [session.session_key for session, _ in found] == [key, None, keys[2], key]
    assert [SESSION_KEY in session for session, _ in found] == [True, False, True, True]


def test_two_sockets_of_one_session_share_no_object(key):
    (session, user), (other_session, other) = find_sessions([key, key])
    user.first_name, session["seen"] = "Changed", True
    assert (other.first_name, other_session.get("seen")) == ("", None)


def test_a_crowd_costs_as_many_queries_as_one(nurse, doctor, django_assert_num_queries):
    keys = [key_of(user) for user in (nurse, doctor) * 10]
    with django_assert_num_queries(2):
        found = find_sessions([*keys, UNKNOWN])
        # Reading them later, on the event loop, would be refused.
        assert all(session.get(SESSION_KEY) for session, _ in found[:-1])


def test_nobody_with_a_cookie_costs_one(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert names([UNKNOWN]) == [""]


async def test_nobody_without_a_cookie_costs_none(monkeypatch):
    monkeypatch.setattr("live.identity.sessions._loader", None)
    for key in (None, "", "a\0b"):
        session, user = await find_session(key)
        assert (session.session_key, user.is_authenticated) == (None, False)


ENDS = {
    "expired": lambda key: Session.objects.update(expire_date=timezone.now()),
    "deleted": lambda key: Session.objects.all().delete(),
    "data that is not ours": lambda key: Session.objects.update(session_data="x"),
    "deactivated": lambda key: User.objects.update(is_active=False),
    "user deleted": lambda key: User.objects.all().delete(),
    "password changed": lambda key: User.objects.update(password="other"),
    "no hash": lambda key: change(key, HASH_SESSION_KEY, None),
    "hash of another": lambda key: change(key, HASH_SESSION_KEY, "other"),
    "backend that is not in use": lambda key: change(key, BACKEND_SESSION_KEY, "os.path.join"),
    "no backend": lambda key: change(key, BACKEND_SESSION_KEY, None),
}


def change(key, name, value):
    session = SessionStore(key)
    session[name] = value
    if value is None:
        del session[name]
    session.save()


@pytest.mark.parametrize("end", ENDS)
async def test_an_ended_identity_is_nobody_as_over_http(key, end):
    assert (await over_http(key))["username"] == "nurse"
    assert (await over_a_socket(key))["username"] == "nurse"
    await sync_to_async(ENDS[end])(key)
    assert await over_a_socket(key) is None
    assert await over_http(key) is None


def test_a_session_of_another_password_is_deleted(key):
    ENDS["password changed"](key)
    assert names([key]) == [""]
    assert not Session.objects.exists()


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_changed_secret_key_ends_no_session(key, settings, subprotocol):
    """Django gives it a new key over HTTP, which a socket could not tell its client."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another " * 8
    for _ in "ab":
        assert (await over_a_socket(key, subprotocol))["username"] == "nurse"
    assert await Session.objects.filter(pk=key).aexists()
    assert (await over_http(key))["username"] == "nurse"


class Elsewhere(ModelBackend):
    """A backend that knows its users from elsewhere, such as a directory."""

    def get_user(self, user_id):
        return User(pk=user_id, username="from elsewhere")


def test_another_backend_is_asked_itself(nurse, key, settings):
    path = f"{__name__}.Elsewhere"
    settings.AUTHENTICATION_BACKENDS = [path, *settings.AUTHENTICATION_BACKENDS]
    elsewhere = User(pk=nurse.pk)
    session = SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(nurse.pk), path
    session[HASH_SESSION_KEY] = elsewhere.get_session_auth_hash()
    session.save()
    assert names([key, session.session_key]) == ["nurse", "from elsewhere"]


@pytest.mark.parametrize("engine", ["cached_db", "file", "signed_cookies"])
def test_other_engines_read_their_sessions_themselves(nurse, settings, tmp_path, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    client = Client()
    client.force_login(nurse, "django.contrib.auth.backends.ModelBackend")
    key = client.cookies["sessionid"].value
    assert names([key, UNKNOWN]) == ["nurse", ""]


async def test_a_crowd_that_connects_at_once_is_told_apart(nurse, doctor, visitor):
    users = [nurse, doctor, visitor] * 8
    keys = [await sync_to_async(key_of)(user) for user in users]
    found = await asyncio.gather(*map(over_a_socket, keys))
    assert [me["username"] for me in found] == [user.username for user in users]
