"""Logging in and out by GraphQL: cookies for browsers, a token for who keeps none."""

import json
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import AsyncClient
from django.utils import timezone

from live.models import AccessToken
from server.asgi import application
from tests.live.wire import SUBPROTOCOLS, Wire, codes

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/graphql/"
ME = "{ me { username firstName lastName isStaff } }"
LOGIN = """mutation ($password: String!) {
  login(username: "nurse", password: $password) { ok token }
}"""
LOGOUT = "mutation { logout { ok } }"


async def post(client, query, headers=None, **variables):
    body = json.dumps({"query": query, "variables": variables})
    response = await client.post(URL, body, content_type="application/json", headers=headers or {})
    return response.json()


def with_a_cookie():
    client = AsyncClient()
    client.cookies["csrftoken"] = "x" * 32
    return client


async def test_nobody_is_nobody(nurse):
    assert await post(AsyncClient(), ME) == {"data": {"me": None}}


async def test_a_browser_gets_a_session_and_no_token(nurse):
    client = with_a_cookie()
    answer = await post(client, LOGIN, password="nurse")
    assert answer == {"data": {"login": {"ok": True, "token": None}}}
    assert not await AccessToken.objects.aexists()
    assert client.cookies["sessionid"]["httponly"]
    assert client.cookies["sessionid"]["samesite"] == "Lax"
    me = {"username": "nurse", "firstName": "", "lastName": "", "isStaff": False}
    assert (await post(client, ME))["data"]["me"] == me
    assert (await post(client, LOGOUT))["data"]["logout"]["ok"]
    assert (await post(client, ME))["data"]["me"] is None
    assert not await Session.objects.aexists()


async def test_a_program_without_cookies_gets_a_token(nurse):
    answer = await post(AsyncClient(), LOGIN, password="nurse")
    secret = answer["data"]["login"]["token"]
    bearer = {"authorization": f"Bearer {secret}"}
    assert (await post(AsyncClient(), ME, bearer))["data"]["me"]["username"] == "nurse"
    async with Wire(application, init=bearer) as wire:
        assert (await wire.ask(ME))["data"]["me"]["username"] == "nurse"


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_socket_without_cookies_gets_a_token_and_one_with_them_none(nurse, subprotocol):
    async with Wire(application, subprotocol=subprotocol) as wire:
        login = (await wire.ask(LOGIN, password="nurse"))["data"]["login"]
        assert login["ok"]
        assert login["token"].startswith("wct_")
    cookie = (b"cookie", b"csrftoken=x")
    async with Wire(application, subprotocol=subprotocol, headers=(cookie,)) as wire:
        login = (await wire.ask(LOGIN, password="nurse"))["data"]["login"]
        assert login == {"ok": True, "token": None}


async def test_a_log_ins_token_lasts_as_long_as_the_settings_say(nurse, settings):
    settings.LIVE = {"LOGIN_TOKEN_HOURS": 2}
    await post(AsyncClient(), LOGIN, password="nurse")
    token = await AccessToken.objects.aget()
    assert token.label == "log-in"
    left = token.expires_at - timezone.now()
    assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)


async def test_a_token_is_made_only_where_it_is_asked_for(nurse):
    query = 'mutation { login(username: "nurse", password: "nurse") { ok } }'
    assert (await post(AsyncClient(), query))["data"]["login"]["ok"]
    assert not await AccessToken.objects.aexists()


async def test_a_token_is_not_valid_after_it_was_revoked_or_logged_out(nurse):
    for end in ("revoked", "logged out"):
        answer = await post(AsyncClient(), LOGIN, password="nurse")
        bearer = {"authorization": f"Bearer {answer['data']['login']['token']}"}
        if end == "revoked":
            await AccessToken.objects.aupdate(revoked_at=timezone.now())
        else:
            assert (await post(AsyncClient(), LOGOUT, bearer))["data"]["logout"]["ok"]
        assert codes(await post(AsyncClient(), ME, bearer)) == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("password", ["", "wrong", "nurse ", "\0", "\ud800", "x" * 10_000])
async def test_a_wrong_password_gives_nothing(nurse, password):
    answer = await post(AsyncClient(), LOGIN, password=password)
    assert answer == {"data": {"login": {"ok": False, "token": None}}}
    assert not await AccessToken.objects.aexists()
    assert not await Session.objects.aexists()


async def test_the_answer_does_not_tell_whether_the_user_exists(nurse):
    query = 'mutation ($n: String!) { login(username: $n, password: "x") { ok token } }'
    answers = [await post(AsyncClient(), query, n=name) for name in ("nurse", "nobody")]
    assert answers[0] == answers[1] == {"data": {"login": {"ok": False, "token": None}}}


async def test_an_inactive_user_does_not_get_in(nurse):
    nurse.is_active = False
    await nurse.asave()
    answer = await post(AsyncClient(), LOGIN, password="nurse")
    assert answer["data"]["login"] == {"ok": False, "token": None}


async def test_a_log_out_of_nobody_is_fine(nurse):
    assert (await post(AsyncClient(), LOGOUT))["data"]["logout"]["ok"]
    async with Wire(application) as wire:
        assert (await wire.ask(LOGOUT))["data"]["logout"]["ok"]


async def test_a_log_in_gives_the_session_a_new_key(nurse):
    """Against fixation: a key that somebody planted opens nothing afterwards."""
    planted = SessionStore()
    planted["basket"] = 1
    await planted.asave()
    client = with_a_cookie()
    client.cookies["sessionid"] = planted.session_key
    headers = {"x-csrftoken": "x" * 32}
    assert (await post(client, LOGIN, headers, password="nurse"))["data"]["login"]["ok"]
    assert client.cookies["sessionid"].value != planted.session_key
    assert not await Session.objects.filter(pk=planted.session_key).aexists()
