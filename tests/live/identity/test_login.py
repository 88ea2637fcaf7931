"""Logging in and out, over HTTP and sockets: the session, the token, and the socket's user."""

from threading import Event

import pytest
from django.contrib.sessions.models import Session
from django.test import AsyncClient

from live.fanout.hub import Hub
from live.identity import identify
from live.identity import login as login_module
from server.asgi import application
from tests.live.identity.me import LOGOUT, ME, name_in, post
from tests.live.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_log_out_ends_the_token_that_it_came_with(token):
    authorization = f"Bearer {token[1]}"
    assert (await post(LOGOUT, authorization=authorization)).json()["data"]["logout"]["ok"]
    assert (await post(ME, authorization=authorization)).status_code == 401


async def test_a_log_out_over_a_socket_ends_its_token_and_the_tokens_other_sockets(token, cookie):
    init = {"authorization": f"Bearer {token[1]}"}
    async with (
        Wire(application, init=init) as wire,
        Wire(application, init=init) as other,
        Wire(application, headers=(cookie,)) as bystander,
    ):
        assert (await wire.ask(LOGOUT))["data"]["logout"]["ok"]
        assert name_in(await wire.ask(ME)) is None
        assert (await other.ended()).code == 4403
        assert name_in(await bystander.ask(ME)) == "visitor"


async def test_a_log_out_by_session_leaves_tokens_alone(token, nurse):
    client = AsyncClient()
    await client.aforce_login(nurse)
    cookie = (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())
    async with Wire(application, headers=(cookie,)) as wire:
        assert (await wire.ask(LOGOUT))["data"]["logout"]["ok"]
        assert name_in(await wire.ask(ME)) is None
    assert name_in((await post(ME, authorization=f"Bearer {token[1]}")).json()) == "nurse"
    assert not await Session.objects.aexists()


async def test_a_log_in_over_a_socket_gives_it_the_users_rights_at_once(nurse):
    subscription = "subscription { onNewPatient { message } }"
    login = 'mutation { login(username: "nurse", password: "nurse") { ok } }'
    async with Wire(application) as wire:
        assert await wire.subscribe(subscription) == ["UNAUTHENTICATED"]
        assert (await wire.ask(login))["data"]["login"]["ok"]
        assert await wire.subscribe(subscription) == []
        await wire.start(LOGOUT, "2")
        kinds = [(await wire.receive())["type"] for _ in range(3)]
        # The subscription ends with an error, the socket stays.
        assert sorted(kinds) == ["complete", "error", "next"]
        assert await wire.subscribe(subscription, "3") == ["UNAUTHENTICATED"]


async def test_another_user_on_the_same_socket_has_their_own_rights(nurse, visitor):
    subscription = "subscription { onNewPatient { message } }"
    login = "mutation ($n: String!) { login(username: $n, password: $n) { ok } }"
    async with Wire(application) as wire:
        await wire.ask(login, n="nurse")
        assert await wire.subscribe(subscription) == []
        await wire.start(login, "2", n="visitor")
        kinds = [(await wire.receive())["type"] for _ in range(3)]
        assert sorted(kinds) == ["complete", "error", "next"]
        assert await wire.subscribe(subscription, "3") == ["FORBIDDEN"]


@pytest.mark.parametrize("name", ["login", "logout"])
async def test_a_socket_does_not_look_for_its_user_in_the_midst_of_a_change(
    nurse, visitor, monkeypatch, name
):
    """The end of its former session is told to all sockets, itself too, before it has a new one."""
    looked, change, look = Event(), getattr(login_module, f"django_{name}"), identify.present_user

    def slowly(*arguments):
        looked.clear()
        change(*arguments)
        looked.wait(0.5)  # in vain: a look waits until the change is over

    def looking(scope):
        user = look(scope)
        looked.set()
        return user

    monkeypatch.setattr(login_module, f"django_{name}", slowly)
    monkeypatch.setattr(identify, "present_user", looking)
    client = AsyncClient()
    await client.aforce_login(nurse)
    cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
    async with Wire(application, headers=((b"cookie", cookie),)) as wire:
        await Hub.current().listening()
        assert (await wire.ask(ME))["data"]["me"] == {"username": "nurse"}
        arguments = '(username: "visitor", password: "visitor")' if name == "login" else ""
        answer = await wire.ask(f"mutation {{ {name}{arguments} {{ ok }} }}")
        assert answer["data"][name]["ok"]
        now = {"username": "visitor"} if name == "login" else None
        assert (await wire.ask(ME))["data"]["me"] == now
