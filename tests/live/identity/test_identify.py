"""Who is behind a connection: by token or session, over HTTP and sockets, and whether still so."""

import json
from datetime import timedelta
from threading import Event

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.test import AsyncClient, RequestFactory

from live import auth
from live.errors import Forbidden, Unauthenticated
from live.fanout.hub import Hub
from live.identity import identify
from live.identity import login as login_module
from live.identity.tokens import issue_token, revoke_token
from live.models import AccessToken
from server.asgi import application
from tests.live.wire import LEGACY, SUBPROTOCOLS, Wire, codes

pytestmark = pytest.mark.django_db(transaction=True)

ME = "{ me { username } }"
LOGOUT = "mutation { logout { ok } }"
VIEW = "patients.view_patient"


@pytest.fixture
def token(nurse):
    """The nurse's token, and its secret."""
    return issue_token(user=nurse, expires_in=timedelta(hours=1))


@pytest.fixture
def cookie(visitor):
    """The header with a session of the visitor."""
    client = AsyncClient()
    client.force_login(visitor)
    return (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())


async def post(query, cookie=None, **headers):
    client = AsyncClient()
    if cookie:
        client.cookies["sessionid"] = cookie[1].decode().removeprefix("sessionid=")
    body = json.dumps({"query": query})
    return await client.post("/graphql/", body, content_type="application/json", headers=headers)


def name_in(response):
    return response["data"]["me"] and response["data"]["me"]["username"]


# ---- permissions


def test_a_permission_is_asked_for(nurse, visitor):
    assert auth.require_permission(nurse, VIEW) is None
    with pytest.raises(Forbidden):
        auth.require_permission(visitor, VIEW)
    for nobody in (None, AnonymousUser()):
        with pytest.raises(Unauthenticated):
            auth.require_permission(nobody, VIEW)
        with pytest.raises(Unauthenticated):
            auth.require_login(nobody)
    assert auth.require_login(visitor) is None


def test_nobodys_id_is_none(nurse):
    assert identify.user_id({"user": nurse}) == nurse.pk
    assert identify.user_id({"user": AnonymousUser()}) is None
    assert identify.user_id({}) is None


# ---- tokens


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_token_identifies_a_request(token, scheme):
    response = await post(ME, authorization=f"{scheme} {token[1]}")
    assert (response.status_code, name_in(response.json())) == (200, "nurse")


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_token_in_the_handshake_identifies_a_socket(token, subprotocol):
    header = (b"authorization", f"Bearer {token[1]}".encode())
    async with Wire(application, subprotocol=subprotocol, headers=(header,)) as wire:
        assert name_in(await wire.ask(ME)) == "nurse"


@pytest.mark.parametrize("key", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_token_in_the_payload_identifies_a_socket(token, subprotocol, key):
    init = {key: f"Bearer {token[1]}"}
    async with Wire(application, subprotocol=subprotocol, init=init) as wire:
        assert name_in(await wire.ask(ME)) == "nurse"


async def test_a_token_goes_before_the_session(token, cookie):
    response = await post(ME, authorization=f"Bearer {token[1]}", cookie=cookie)
    assert name_in(response.json()) == "nurse"
    init = {"authorization": f"Bearer {token[1]}"}
    async with Wire(application, headers=(cookie,), init=init) as wire:
        assert name_in(await wire.ask(ME)) == "nurse"
    async with Wire(application, headers=(cookie,)) as wire:
        assert name_in(await wire.ask(ME)) == "visitor"


async def test_the_payload_goes_before_the_handshake(token, visitor):
    _, other = await sync_to_async(issue_token)(user=visitor, expires_in=None)
    header = (b"authorization", f"Bearer {other}".encode())
    init = {"authorization": f"Bearer {token[1]}"}
    async with Wire(application, headers=(header,), init=init) as wire:
        assert name_in(await wire.ask(ME)) == "nurse"


ENDS = {
    "unknown": lambda token: token.delete(),
    "revoked": lambda token: revoke_token(token=token),
    "expired": lambda token: AccessToken.objects.update(expires_at=token.created_at),
    "an inactive user's": lambda token: User.objects.update(is_active=False),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_token_that_has_ended_is_refused_everywhere(token, cookie, end):
    await sync_to_async(ENDS[end])(token[0])
    authorization = f"Bearer {token[1]}"
    # The session that comes along is not what the client meant.
    response = await post(ME, authorization=authorization, cookie=cookie)
    assert (response.status_code, codes(response.json())) == (401, ["UNAUTHENTICATED"])
    assert response["WWW-Authenticate"] == "Bearer"
    for subprotocol in SUBPROTOCOLS:
        for headers, init in (
            (((b"authorization", authorization.encode()), cookie), {}),
            ((cookie,), {"authorization": authorization}),
        ):
            await assert_refused(subprotocol, headers, init)


@pytest.mark.parametrize("value", ["Bearer", "Bearer a b", "Bearer \u00e9", 7, {"a": 1}, ["x"]])
@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_an_authorization_that_is_none_is_refused(cookie, subprotocol, value):
    await assert_refused(subprotocol, (cookie,), {"authorization": value})


async def assert_refused(subprotocol, headers, init):
    """Neither an acknowledgement nor a word why, and nothing runs."""
    async with Wire(application, None, subprotocol, headers, init=False) as wire:
        await wire.send(type="connection_init", payload=init)
        if subprotocol == LEGACY:
            await wire.start(ME)
            assert (await wire.receive())["type"] == "connection_error"
        end = await wire.ended()
    assert (end.code, end.reason) == (4403, "The connection was refused")
    assert not any('"connection_ack"' in frame or '"data"' in frame for frame in wire.frames)


async def test_another_scheme_is_a_proxys(cookie):
    response = await post(ME, authorization="Basic dTpw", cookie=cookie)
    assert name_in(response.json()) == "visitor"
    header = (b"authorization", b"Basic dTpw")
    async with Wire(application, headers=(header, cookie)) as wire:
        assert name_in(await wire.ask(ME)) == "visitor"


def test_a_token_needs_no_csrf_cookie(token):
    request = RequestFactory().post("/", headers={"authorization": "Bearer x"})
    assert identify.is_bearer(request)
    assert not identify.is_bearer(RequestFactory().post("/"))
    assert not identify.is_bearer(RequestFactory().post("/", headers={"authorization": "Basic x"}))


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


# ---- still so


def scope_of(user):
    """Return the scope of a socket with a session of `user`."""
    client = AsyncClient()
    client.force_login(user)
    return {"user": user, "session": client.session}


def test_the_present_user_is_the_stored_one(nurse):
    scope = scope_of(nurse)
    User.objects.filter(pk=nurse.pk).update(first_name="Florence")
    assert identify.present_user(scope).first_name == "Florence"


def test_the_present_users_rights_are_at_hand(nurse, django_assert_num_queries):
    present = identify.present_user(scope_of(nurse))
    with django_assert_num_queries(0):
        assert present.has_perm(VIEW)


@pytest.mark.parametrize(
    "change",
    [
        lambda user: Session.objects.all().delete(),
        lambda user: Session.objects.update(expire_date="2000-01-01T00:00Z"),
        lambda user: User.objects.update(is_active=False),
        lambda user: (user.set_password("other"), user.save()),
        lambda user: user.delete(),
    ],
    ids=["session deleted", "session expired", "deactivated", "password", "deleted"],
)
def test_who_has_ended_is_nobody(nurse, change):
    scope = scope_of(nurse)
    assert identify.present_user(scope) == nurse
    change(User.objects.get())
    assert isinstance(identify.present_user(scope), AnonymousUser)


@pytest.mark.parametrize("end", ENDS)
def test_whose_token_has_ended_is_nobody(nurse, token, end):
    scope = {"user": nurse, identify.TOKEN_ID: token[0].pk}
    assert identify.present_user(scope) == nurse
    ENDS[end](token[0])
    assert isinstance(identify.present_user(scope), AnonymousUser)


def test_a_token_outlives_a_change_of_password(nurse, token):
    """Documented in docs/security.md: revoke the tokens too."""
    nurse.set_password("other")
    nurse.save()
    assert identify.present_user({"user": nurse, identify.TOKEN_ID: token[0].pk}) == nurse


def test_a_user_of_the_applications_own_is_looked_up(nurse):
    assert identify.present_user({"user": nurse}) == nurse
    User.objects.update(is_active=False)
    assert isinstance(identify.present_user({"user": nurse}), AnonymousUser)


def test_nobody_stays_nobody():
    assert isinstance(identify.present_user({"user": AnonymousUser()}), AnonymousUser)
    assert isinstance(identify.present_user({}), AnonymousUser)


# ---- logging in


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
