"""A body beyond the bound is refused before anything gathers or parses it, by any server."""

import asyncio
import contextlib

import aiohttp
import pytest

from tests.e2e.servers import Server

MOST = 1_048_576
FORM = "Content-Type: application/x-www-form-urlencoded"
SECONDS = 60


@pytest.fixture(scope="module", params=["daphne", "uvicorn", "gunicorn"])
def server(request, tmp_path_factory):
    running = Server(tmp_path_factory.mktemp(request.param), request.param).prepare().start()
    yield running
    running.stop()


@contextlib.asynccontextmanager
async def half_sent(server, *headers):
    """Send the head of a form to the log-in page; yield the connection's reader and writer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = ["POST /login/ HTTP/1.1", f"Host: {server.host}", FORM, *headers, "", ""]
    writer.write("\r\n".join(head).encode())
    try:
        async with asyncio.timeout(SECONDS):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_length_that_is_too_large_is_refused_before_the_body_came(server):
    async with half_sent(server, f"Content-Length: {MOST + 1}") as (reader, writer):
        writer.write(b"a=")
        assert b" 413 " in await reader.readline()


async def test_nobody_is_asked_to_go_on_with_a_body_that_is_too_large(server):
    headers = (f"Content-Length: {MOST + 1}", "Expect: 100-continue")
    async with half_sent(server, *headers) as (reader, _):
        assert b" 413 " in await reader.readline()


async def test_a_body_in_chunks_is_refused_once_it_is_too_large_and_never_ends(server):
    chunk = b"10000\r\n" + 65_536 * b"a" + b"\r\n"
    async with half_sent(server, "Transfer-Encoding: chunked") as (reader, writer):
        for _ in range(MOST // 65_536 + 1):
            writer.write(chunk)
            await writer.drain()
        assert b" 413 " in await reader.readline()


async def test_a_client_that_sends_it_all_gets_the_answer_and_others_are_served(server):
    async with aiohttp.ClientSession(server.url) as http, asyncio.timeout(SECONDS):
        form = b"&".join([b"a=1"] * 10_000_000)  # 40 MB
        async with http.post("/login/", data=form, headers=dict([FORM.split(": ")])) as answer:
            assert answer.status == 413
            assert str(MOST) in await answer.text()
        async with http.get("/login/") as page:
            assert page.status == 200


async def test_the_largest_body_is_read(server):
    async with aiohttp.ClientSession(server.url) as http, asyncio.timeout(SECONDS):
        form = b"username=".ljust(MOST, b"x")
        for body in (form, _in_chunks(form)):
            headers = dict([FORM.split(": ")])
            async with http.post("/login/", data=body, headers=headers) as answer:
                assert answer.status == 403  # a form without its CSRF token


async def _in_chunks(body):
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]
