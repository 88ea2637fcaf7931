"""Who gets in over HTTP and over a socket, in which language, and who is logged in then."""

import aiohttp
import pytest

from tests.e2e.clients import (
    CREATE_PATIENT,
    LEGACY,
    LOGIN,
    ON_NEW_PATIENT,
    SUBPROTOCOLS,
    TIMEOUT,
    TRANSPORT_WS,
    Browser,
    Client,
    Refused,
    data_of,
)
from tests.e2e.servers import Server

ME = "query { me { username } }"
LOGOUT = "mutation { logout { ok } }"
DEMO = {"username": "demo", "password": "demo"}
ADA = {"input": {"name": "Ada", "category": "IX"}}
NOBODY = {"me": None}


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(request, tmp_path_factory):
    """A real server of each kind."""
    folder = tmp_path_factory.mktemp(request.param)
    running = Server(folder, kind=request.param).prepare().start()
    yield running
    running.stop()


@pytest.fixture
async def http():
    timeout = aiohttp.ClientTimeout(TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session


def me(name: str) -> dict:
    return {"me": {"username": name}}


async def handshake(http, server, protocols=SUBPROTOCOLS, **headers: str) -> int:
    """Offer a WebSocket handshake; return the HTTP status, 101 where it is accepted."""
    try:
        async with http.ws_connect(server.ws_url, protocols=protocols, headers=headers):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


# ---- the handshake


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://{host}", 101),
        ("http://elsewhere.example", 403),
        ("http://elsewhere.example:{port}", 403),
        ("http://127.0.0.1:1", 403),
        ("null", 403),
    ],
)
async def test_a_page_of_another_origin_is_refused(http, server, origin, status, subprotocol):
    headers = {}
    if origin:
        headers["Origin"] = origin.format(host=server.host, port=server.port)
    assert await handshake(http, server, [subprotocol], **headers) == status


async def test_a_host_that_is_not_allowed_is_refused(http, server):
    evil = f"elsewhere.example:{server.port}"
    assert await handshake(http, server, Host=evil) == 403
    assert await handshake(http, server, Host=evil, Origin=f"http://{evil}") == 403
    async with http.post(server.url, json={"query": ME}, headers={"Host": evil}) as answer:
        assert answer.status == 400


async def test_another_path_has_no_socket(http, server):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(f"ws://{server.host}/elsewhere/", protocols=SUBPROTOCOLS)
    assert refused.value.status in (403, 404)


@pytest.mark.parametrize("protocols", [(), ("mqtt",), ("GRAPHQL-WS",)])
async def test_without_a_known_subprotocol_there_is_no_socket(http, server, protocols):
    """A browser sees no HTTP status, so a close code after the handshake is as good."""
    try:
        async with http.ws_connect(server.ws_url, protocols=protocols) as socket:
            await socket.receive(TIMEOUT)
            code = socket.close_code
    except aiohttp.WSServerHandshakeError as error:
        code = error.status
    assert code in (4406, 403)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([TRANSPORT_WS], TRANSPORT_WS),
        ([LEGACY], LEGACY),
        (["mqtt", LEGACY], LEGACY),
    ],
)
async def test_the_subprotocol_is_one_that_was_offered(http, server, offered, chosen):
    async with http.ws_connect(server.ws_url, protocols=offered) as socket:
        assert socket.protocol == chosen


# ---- CSRF


async def test_a_session_needs_the_csrf_token_and_nobody_else(server, http):
    async with Browser(server, "demo") as browser:
        body = {"query": CREATE_PATIENT, "variables": ADA}
        async with browser.http.post(server.url, json=body) as answer:
            assert answer.status == 403
        wrong = {"X-CSRFToken": "x" * 32}
        async with browser.http.post(server.url, json=body, headers=wrong) as answer:
            assert answer.status == 403
        count = "{ patients { totalCount } }"
        assert data_of(await browser.post(count)) == {"patients": {"totalCount": 0}}

        created = data_of(await browser.post(CREATE_PATIENT, ADA))["createPatient"]
        assert created["errors"] == []
        assert data_of(await browser.post(count)) == {"patients": {"totalCount": 1}}
    async with http.post(server.url, json={"query": ME}) as answer:
        assert await answer.json() == {"data": NOBODY}


async def test_a_foreign_pages_post_is_refused_even_with_the_token(server):
    async with Browser(server, "demo", {"Origin": "http://elsewhere.example"}) as browser:
        token = {"X-CSRFToken": browser.cookies["csrftoken"]}
        async with browser.http.post(server.url, json={"query": ME}, headers=token) as answer:
            assert answer.status == 403


# ---- who is logged in


async def test_log_in_and_out_over_http(server):
    async with Browser(server) as browser:
        assert data_of(await browser.post(ME)) == NOBODY
        assert await browser.log_in("demo", "wrong") == {"ok": False}
        assert data_of(await browser.post(ME)) == NOBODY
        assert await browser.log_in("demo", "demo") == {"ok": True}
        before = browser.cookies["sessionid"]
        assert data_of(await browser.post(ME)) == me("demo")
        assert data_of(await browser.post(LOGOUT)) == {"logout": {"ok": True}}
        assert data_of(await browser.post(ME)) == NOBODY

        # The session itself has ended: its old cookie is worth nothing.
        browser.http.cookie_jar.update_cookies({"sessionid": before})
        assert data_of(await browser.post(ME)) == NOBODY


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_log_in_and_out_over_a_socket(server, subprotocol):
    async with Client(server, None, subprotocol) as client:
        assert await client.execute(ME) == NOBODY
        with pytest.raises(Refused) as refused:
            await client.execute(CREATE_PATIENT, ADA)
        assert refused.value.codes == ["UNAUTHENTICATED"]
        wrong = {**DEMO, "password": "wrong"}
        assert await client.execute(LOGIN, wrong) == {"login": {"ok": False}}
        assert await client.execute(ME) == NOBODY

        assert await client.execute(LOGIN, DEMO) == {"login": {"ok": True}}
        assert await client.execute(ME) == me("demo")
        assert (await client.execute(CREATE_PATIENT, ADA))["createPatient"]["errors"] == []
        assert await client.execute(LOGOUT) == {"logout": {"ok": True}}
        assert await client.execute(ME) == NOBODY
        with pytest.raises(Refused) as refused:
            await client.execute(CREATE_PATIENT, ADA)
        assert refused.value.codes == ["UNAUTHENTICATED"]


async def test_logging_out_holds_however_soon_it_follows(server):
    async with Client(server) as client:
        for _ in range(10):
            assert await client.execute(LOGIN, DEMO) == {"login": {"ok": True}}
            assert await client.execute(LOGOUT) == {"logout": {"ok": True}}
            assert await client.execute(ME) == NOBODY


async def test_one_sockets_log_in_is_no_other_sockets(server):
    async with Client(server) as one, Client(server) as other:
        assert await one.execute(LOGIN, DEMO) == {"login": {"ok": True}}
        assert await other.execute(ME) == NOBODY


async def test_a_session_made_over_http_holds_on_a_socket(server):
    async with Client(server, "nurse") as client:
        assert await client.execute(ME) == me("nurse")


# ---- the language


@pytest.mark.parametrize(
    ("accepted", "message"),
    [
        (None, "New patient added: Ada"),
        ("en", "New patient added: Ada"),
        ("fr-CA,fr;q=0.9,en;q=0.5", "Nouveau patient ajouté : Ada"),
        ("de", "New patient added: Ada"),
    ],
)
async def test_an_events_message_is_in_the_sockets_language(server, accepted, message):
    headers = {"Accept-Language": accepted} if accepted else None
    async with Client(server, "demo", headers=headers) as client:
        patients = await client.subscribe(ON_NEW_PATIENT, category="IX")
        await client.execute(CREATE_PATIENT, ADA)
        assert (await patients.next())["onNewPatient"]["message"] == message


async def test_a_forms_errors_are_in_the_requests_language(server):
    unnamed = {"input": {"name": "", "category": "IX"}}
    told = {}
    for language in ("en", "fr"):
        headers = {"Accept-Language": language}
        async with (
            Browser(server, "demo", headers) as http,
            Client(server, "demo", headers=headers) as socket,
        ):
            over_http = data_of(await http.post(CREATE_PATIENT, unnamed))["createPatient"]
            over_socket = (await socket.execute(CREATE_PATIENT, unnamed))["createPatient"]
            assert over_http == over_socket
            ((told[language],),) = [error["messages"] for error in over_http["errors"]]
    assert told == {"en": "This field is required.", "fr": "Ce champ est obligatoire."}


# ---- a subscription's end


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_after_complete_no_event_is_sent(server, subprotocol):
    async with Client(server, "demo", subprotocol) as client:
        ended = await client.subscribe(ON_NEW_PATIENT, category="IX")
        lasting = await client.subscribe(ON_NEW_PATIENT, category="IX")
        await ended.complete()
        # Answered in order: when this is, the server has read that the other is complete.
        await client.execute(ME)
        await client.execute(CREATE_PATIENT, ADA)
        await lasting.next()
        assert {"next", "data"}.isdisjoint(ended.pending())


async def test_a_subscription_over_http_is_refused_with_the_way_to_go(server):
    async with Browser(server, "nurse") as browser:
        answer = await browser.post(ON_NEW_PATIENT)
        (error,) = answer["errors"]
        assert "WebSocket" in error["message"]
