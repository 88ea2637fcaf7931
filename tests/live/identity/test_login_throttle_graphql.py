"""The login mutation after too many failures: the same error over HTTP and sockets."""

import pytest
from asgiref.sync import sync_to_async
from axes.models import AccessAttempt
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient

from server.asgi import application

LOGIN = 'mutation($p: String!) { login(username: "nurse", password: $p) { ok } }'


@pytest.fixture(autouse=True)
def _two_failures(settings):
    keys = list(settings.LOGIN_FAILURE_LIMITS)
    settings.LOGIN_FAILURE_LIMITS = dict(zip(keys, (2, 100, 25), strict=True))
    settings.AXES_FAILURE_LIMIT = 2


@pytest.fixture
def staff(transactional_db):
    """The nurse, committed, as other threads look for her."""
    from tests.conftest import make_user

    return make_user("nurse", "view_patient")


async def over_http(client, password):
    body = {"query": LOGIN, "variables": {"p": password}}
    response = await client.post("/graphql/", body, content_type="application/json")
    assert response.status_code == 200
    return response.json()


class Socket:
    """A graphql-transport-ws client in this process."""

    def __init__(self):
        path, headers = "/graphql/", [(b"host", b"testserver")]
        self.wire = WebsocketCommunicator(application, path, headers, ["graphql-transport-ws"])
        self.wire.scope["client"] = ["127.0.0.1", 1]

    async def __aenter__(self):
        assert (await self.wire.connect())[0]
        await self.wire.send_json_to({"type": "connection_init"})
        assert (await self.wire.receive_json_from())["type"] == "connection_ack"
        return self

    async def __aexit__(self, *_):
        await self.wire.disconnect()

    async def run(self, query, **variables):
        payload = {"query": query, "variables": variables}
        await self.wire.send_json_to({"type": "subscribe", "id": "1", "payload": payload})
        answer = await self.wire.receive_json_from(timeout=10)
        assert (await self.wire.receive_json_from())["type"] == "complete"
        return answer["payload"]


def assert_locked(result):
    [error] = result["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 890 < error["extensions"]["retryAfter"] <= 900
    assert error["message"] == "Log-ins failed too often. Try again in 15 minutes."


async def test_failures_over_http_lock_sockets_too(staff):
    client = AsyncClient()
    assert (await over_http(client, "wrong"))["data"]["login"] == {"ok": False}
    assert_locked(await over_http(client, "wrong"))
    assert_locked(await over_http(client, "nurse"))
    async with Socket() as socket:
        assert_locked(await socket.run(LOGIN, p="nurse"))
        assert (await socket.run("{ me { username } }"))["data"] == {"me": None}


async def test_failures_over_sockets_lock_http_too(staff):
    async with Socket() as socket:
        assert (await socket.run(LOGIN, p="wrong"))["data"]["login"] == {"ok": False}
        assert_locked(await socket.run(LOGIN, p="wrong"))
    assert_locked(await over_http(AsyncClient(), "nurse"))


async def test_a_success_over_a_socket_logs_in_and_forgets(staff):
    async with Socket() as socket:
        await socket.run(LOGIN, p="wrong")
        assert (await socket.run(LOGIN, p="nurse"))["data"]["login"] == {"ok": True}
        assert (await socket.run("{ me { username } }"))["data"]["me"] == {"username": "nurse"}
        assert not await AccessAttempt.objects.aexists()
        assert (await socket.run("mutation { logout { ok } }"))["data"]["logout"] == {"ok": True}
        assert (await socket.run("{ me { username } }"))["data"] == {"me": None}


async def test_a_document_may_have_one_log_in(staff):
    tries = "".join(f'a{i}: login(username: "nurse", password: "?") {{ ok }} ' for i in range(5))
    query = f'mutation {{ {tries} good: login(username: "nurse", password: "nurse") {{ ok }} }}'
    response = await AsyncClient().post(
        "/graphql/", {"query": query}, content_type="application/json"
    )
    errors = response.json()["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"BAD_INPUT"}
    assert not await sync_to_async(AccessAttempt.objects.exists)()
