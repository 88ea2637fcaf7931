"""The production worker behind nginx: whose failed log-ins count for which address."""

import contextlib
from dataclasses import dataclass

import aiohttp
import pytest

from tests.conftest import require_program
from tests.e2e.clients import LOGIN, TRANSPORT_WS
from tests.e2e.nginx import nginx
from tests.e2e.servers import Server

FAILURES = 3  # of one address; each with another name, so that no other limit counts


@dataclass
class Door:
    """A server and the nginx before it; a client of it has an address of its own."""

    server: Server
    port: int

    async def try_log_in(self, number: int, client: str, path: str, **headers: str) -> bool:
        """Try to log in as nobody, from the address `client`; return whether it is locked."""
        variables = {"username": f"{client}-{path}-{number}", "password": "wrong"}
        connector = aiohttp.TCPConnector(local_addr=(client, 0))
        async with aiohttp.ClientSession(
            f"http://127.0.0.1:{self.port}", connector=connector, headers=headers
        ) as http:
            return await TRIES[path](http, variables)

    async def tries_until_locked(self, client: str, path: str, forge=lambda number: {}) -> int:
        """Return after how many failures the address `client` is locked; 2 too many at most."""
        for number in range(FAILURES + 2):
            if await self.try_log_in(number, client, path, **forge(number)):
                return number + 1
        return FAILURES + 3


async def _over_http(http, variables):
    body = {"query": LOGIN, "variables": variables}
    async with http.post("/graphql/", json=body) as answer:
        return "RATE_LIMITED" in await answer.text()


async def _over_a_socket(http, variables):
    async with http.ws_connect("/graphql/", protocols=[TRANSPORT_WS]) as ws:
        await ws.send_json({"type": "connection_init"})
        assert (await ws.receive_json())["type"] == "connection_ack"
        payload = {"query": LOGIN, "variables": variables}
        await ws.send_json({"type": "subscribe", "id": "1", "payload": payload})
        return "RATE_LIMITED" in await ws.receive_str()


async def _by_the_form(http, variables):
    async with http.get("/login/") as page:
        token = page.cookies["csrftoken"].value
    form = {**variables, "csrfmiddlewaretoken": token}
    headers = {"Cookie": f"csrftoken={token}"}
    async with http.post("/login/", data=form, headers=headers) as answer:
        assert answer.status in (200, 429), answer.status
        return answer.status == 429


TRIES = {"http": _over_http, "socket": _over_a_socket, "form": _by_the_form}


def forged(number):
    """Return a header that says that the client is somebody else, at each try."""
    return {"X-Forwarded-For": f"198.51.100.{number}"}


def _door(folder, environment):
    environment = {"LOGIN_FAILURES_PER_ADDRESS": str(FAILURES), **environment}
    program = require_program("nginx", "nginx")
    with contextlib.ExitStack() as stack:
        server = Server(folder / "server", "gunicorn", environment).prepare().start()
        stack.callback(server.stop)
        yield Door(server, stack.enter_context(nginx(program, folder / "nginx", server.host)))


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A server that knows of its proxy."""
    yield from _door(tmp_path_factory.mktemp("door"), {"TRUSTED_PROXIES": "1"})


@pytest.fixture(scope="module")
def unaware(tmp_path_factory):
    """A server that was not told of its proxy."""
    yield from _door(tmp_path_factory.mktemp("unaware"), {})


@pytest.mark.parametrize(
    ("path", "client"), [("http", "127.0.0.2"), ("socket", "127.0.0.3"), ("form", "127.0.0.4")]
)
async def test_a_made_up_address_does_not_get_past_the_throttle(door, path, client):
    assert await door.tries_until_locked(client, path, forged) == FAILURES


async def test_who_calls_nginx_is_who_is_locked_out(door):
    assert await door.tries_until_locked("127.0.0.5", "http") == FAILURES
    assert not await door.try_log_in(0, "127.0.0.6", "http")
    # Nor does anybody fail in the name of another address.
    header = {"X-Forwarded-For": "127.0.0.5"}
    assert not await door.try_log_in(1, "127.0.0.6", "http", **header)


async def test_without_trusted_proxies_the_header_is_ignored(unaware):
    assert await unaware.tries_until_locked("127.0.0.2", "http", forged) == FAILURES
    # All who come by the proxy have its address, as docs/operations.md says.
    assert await unaware.try_log_in(0, "127.0.0.3", "socket", **forged(0))
    assert await unaware.try_log_in(0, "127.0.0.4", "form", **forged(0))
