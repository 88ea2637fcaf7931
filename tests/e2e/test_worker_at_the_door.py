"""The production worker: who calls is who calls, and a connection has to ask for something."""

import asyncio

import pytest

from tests.e2e.clients import LOGIN, Browser
from tests.e2e.servers import Server


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    few = {"LOGIN_FAILURES_PER_ADDRESS": "3"}
    server = Server(tmp_path_factory.mktemp("worker"), "gunicorn", few).prepare().start()
    yield server
    server.stop()


async def test_a_client_does_not_choose_the_address_that_its_failures_count_for(worker):
    refused = 0
    async with Browser(worker) as browser:
        for number in range(6):
            headers = {"X-Forwarded-For": f"198.51.100.{number}"}
            body = {"query": LOGIN, "variables": {"username": f"u{number}", "password": "wrong"}}
            async with browser.http.post(worker.url, json=body, headers=headers) as answer:
                refused += "RATE_LIMITED" in await answer.text()
                if refused:
                    break
    assert refused


async def test_a_connection_without_a_request_ends(worker):
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: ")
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()
