"""Who is behind a connection: by token or session, over HTTP and sockets, and whether still so."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.test import AsyncClient, RequestFactory

from live.identity import identify
from live.identity.tokens import issue_token, revoke_token
from live.models import AccessToken
from server.asgi import application
from tests.live.identity.me import ME, name_in, post
from tests.live.wire import LEGACY, SUBPROTOCOLS, Wire, codes

pytestmark = pytest.mark.django_db(transaction=True)

VIEW = "patients.view_patient"


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
