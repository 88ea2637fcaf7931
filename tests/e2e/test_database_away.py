"""What clients are told while PostgreSQL is away, or takes no writes: to come back later."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.e2e.clients import LEGACY, LOGIN, SUBPROTOCOLS, TRANSPORT_WS, Browser, Client, Refused
from tests.e2e.faults.installation import open_folder
from tests.e2e.programs import missing
from tests.e2e.servers import CROWD, Server
from tests.e2e.services import Postgres, postgres_binaries, running
from tests.e2e.together import CREATE, WATCH

AWAY = 4503
SECONDS = 60
HTML = {"Accept": "text/html,*/*;q=0.8"}
COUNT = "{ patients { totalCount } }"


@pytest.fixture(scope="module")
def postgres():
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    with open_folder() as folder:
        service = Postgres(binaries, folder / "postgres")
        service.create()
        with running(service):
            yield service


@pytest.fixture(scope="module", params=["daphne", "gunicorn"])
def server(request, postgres, tmp_path_factory):
    environment = {"DATABASE_URL": postgres.url, "LIVE": json.dumps(CROWD)}
    folder = tmp_path_factory.mktemp(request.param)
    running_server = Server(folder, request.param, environment)
    if request.param == "daphne":
        running_server.prepare()  # the first of them
    yield running_server.start()
    running_server.stop()


@asynccontextmanager
async def away(postgres):
    """Have PostgreSQL away for the block."""
    await asyncio.to_thread(postgres.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.start)


@asynccontextmanager
async def read_only(postgres):
    """Have PostgreSQL take no writes for the block, as a standby."""
    command = list(postgres.command)
    postgres.command += ["-c", "default_transaction_read_only=on"]
    await asyncio.to_thread(postgres.restart)
    try:
        yield
    finally:
        postgres.command = command
        await asyncio.to_thread(postgres.restart)


async def closed_with(browser, subprotocol, payload=None):
    """Open a socket, say connection_init; return the code that it is closed with."""
    async with (
        asyncio.timeout(SECONDS),
        browser.http.ws_connect(browser.server.ws_url, protocols=[subprotocol]) as ws,
    ):
        await ws.send_json({"type": "connection_init", "payload": payload})
        while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        return ws.close_code


async def codes(client, query, variables=None):
    try:
        await client.execute(query, variables)
    except Refused as refusal:
        return refusal.codes
    return []


async def posted(browser, query, variables=None):
    """Return the status of an operation over HTTP."""
    headers = {"X-CSRFToken": browser.cookies.get("csrftoken", "")}
    body = {"query": query, "variables": variables}
    async with browser.http.post(browser.server.url, json=body, headers=headers) as answer:
        return answer.status


async def page(browser, path):
    """Return the status of a page, as a browser asks for it."""
    url = f"http://{browser.server.host}{path}"
    async with browser.http.get(url, headers=HTML, allow_redirects=False) as answer:
        assert "text/html" in answer.headers["Content-Type"]
        return answer.status


async def sent(browser, path):
    """Log in by the form at `path`; return the status."""
    token = browser.cookies["csrftoken"]
    form = {"username": "nurse", "password": "nurse", "csrfmiddlewaretoken": token}
    url = f"http://{browser.server.host}{path}"
    async with browser.http.post(url, data=form, headers=HTML, allow_redirects=False) as answer:
        return answer.status


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_handshake_with_a_session_ends_with_a_code_to_come_back_after(
    server, postgres, subprotocol
):
    async with Browser(server, "nurse") as browser, away(postgres):
        assert await closed_with(browser, subprotocol) == AWAY


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_an_init_with_a_token_ends_with_a_code_to_come_back_after(
    server, postgres, subprotocol
):
    token = {"authorization": f"Bearer wct_{'x' * 43}"}
    async with Browser(server) as browser, away(postgres):
        assert await closed_with(browser, subprotocol, token) == AWAY


@pytest.mark.parametrize("subprotocol", [TRANSPORT_WS, LEGACY])
async def test_an_open_socket_stays_and_its_operations_are_unavailable(
    server, postgres, subprotocol
):
    async with Client(server, "demo", subprotocol) as client:
        stream = await client.subscribe(WATCH)
        async with away(postgres):
            assert await codes(client, COUNT) == ["UNAVAILABLE"]
            assert await codes(client, CREATE, {"name": "nobody"}) == ["UNAVAILABLE"]
        async with asyncio.timeout(SECONDS):
            while await codes(client, CREATE, {"name": "somebody"}):
                pass
        assert "somebody" in str(await stream.next())


async def test_pages_and_answers_over_http_are_503(server, postgres):
    async with Browser(server, "demo") as browser, away(postgres):
        assert await posted(browser, COUNT) == 503
        assert await posted(browser, LOGIN, {"username": "nurse", "password": "x"}) == 503
        for path in ("/graphql/", "/login/", "/admin/", "/admin/patients/patient/", "/metrics"):
            assert await page(browser, path) == (200 if path == "/login/" else 503), path
        assert await sent(browser, "/login/") == 503
        assert await sent(browser, "/admin/login/") == 503


async def test_a_database_that_takes_no_writes_is_unavailable_for_these(server, postgres):
    async with Client(server, "demo") as client, Browser(server, "demo") as browser:
        async with read_only(postgres):
            async with asyncio.timeout(SECONDS):
                while await codes(client, COUNT):
                    pass
            assert await codes(client, CREATE, {"name": "nobody"}) == ["UNAVAILABLE"]
            assert await posted(browser, COUNT) == 200
            assert await page(browser, "/admin/patients/patient/") == 200
            assert await sent(browser, "/login/") == 503
            async with Client(server, "nurse") as another:
                assert await codes(another, COUNT) == []
        assert "Internal error" not in server.log
