import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest

from example_client import transport
from example_client.errors import ConnectionLost, NotAnEndpoint, NotPermitted, Unreachable
from example_client.transport import Transport


@pytest.fixture
def connected(serve):
    """Return a context manager that gives a transport connected to `script`."""

    @asynccontextmanager
    async def run(script):
        async with serve(script) as url:
            client = Transport(url)
            await client.connect()
            try:
                yield client
            finally:
                await client.disconnect()

    return run


def closing(code, message=b""):
    async def script(server):
        await server.ws.close(code=code, message=message)

    return script


async def test_messages_travel_both_ways(connected):
    async def echo(server):
        await server.ws.send_json(await server.ws.receive_json(timeout=5))

    async with connected(echo) as client:
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "ping"}


# The coroutine that it gives to asyncio.wait is never awaited.
@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
async def test_the_library_alone_cannot_connect(serve):
    """When this fails, the library is mended, and much of the subclass can go."""
    from channels_graphql_ws.transport import GraphqlWsTransportAiohttp

    async with serve(closing(1000)) as url:
        alone = GraphqlWsTransportAiohttp(url)
        with pytest.raises(TypeError, match="coroutines is forbidden"):
            await alone.connect()
        alone._message_processor.cancel()
        await asyncio.wait([alone._message_processor])


async def test_receiving_may_have_a_timeout_and_goes_on_after_it(connected):
    may_speak = asyncio.Event()

    async def speak_when_told(server):
        await may_speak.wait()
        await server.send("pong")

    async with connected(speak_when_told) as client:
        with pytest.raises(TimeoutError):
            await client.receive(timeout=0.01)
        may_speak.set()
        assert await client.receive() == {"type": "pong"}


async def test_close_code_and_reason_reach_the_caller(connected):
    async with connected(closing(1012, b"new version")) as client:
        with pytest.raises(ConnectionLost) as lost:
            await client.receive()
    assert (lost.value.code, lost.value.reason) == (1012, "new version")


async def test_sending_on_a_closed_connection_leaves_the_reason_to_receive(connected):
    async def vanish(server):
        await server.ws._writer.close(4403, b"logged out")  # and does not wait for the reply
        server.ws._req.transport.close()

    async with connected(vanish) as client:
        async with asyncio.timeout(5):
            while not client._connection._writer.transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0)
        await client.send({"type": "ping"})
        with pytest.raises(NotPermitted, match="logged out"):
            await client.receive()


async def test_every_receive_after_the_end_raises(connected):
    async with connected(closing(1001)) as client:
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                await client.receive()


async def test_a_connection_that_breaks_is_lost(connected):
    async def break_it(server):
        server.ws._req.transport.abort()

    async with connected(break_it) as client:
        with pytest.raises(ConnectionLost) as lost:
            await client.receive()
    assert lost.value.code == 1006


async def test_a_server_that_answers_no_ping_is_lost(connected, monkeypatch):
    monkeypatch.setattr(transport, "HEARTBEAT_SECONDS", 0.1)

    noticed = asyncio.Event()

    async def freeze(server):
        server.ws._req.transport.pause_reading()
        await noticed.wait()
        server.ws._req.transport.abort()

    async with connected(freeze) as client:
        with pytest.raises(ConnectionLost):
            async with asyncio.timeout(5):
                await client.receive()
        noticed.set()


async def test_wait_disconnect_tells_code_and_reason(connected):
    async with connected(closing(1001, b"bye")) as client:
        assert await client.wait_disconnect(5) == {"code": 1001, "reason": "bye"}


@pytest.mark.parametrize("text", ["hello", "[]", "null"])
async def test_what_is_no_message_is_no_endpoint(connected, text):
    async def talk(server):
        await server.ws.send_str(text)

    async with connected(talk) as client:
        with pytest.raises(NotAnEndpoint, match="no GraphQL message"):
            await client.receive()


async def test_a_binary_frame_is_no_endpoint(connected):
    async def talk(server):
        await server.ws.send_bytes(b"{}")

    async with connected(talk) as client:
        with pytest.raises(NotAnEndpoint):
            await client.receive()


async def refusal(url):
    """Return the error with which connecting to `url` fails."""
    client = Transport(url)
    with pytest.raises(Unreachable) as error:
        await client.connect(timeout=5)
    await client.disconnect()
    return error.value


async def test_a_closed_port_is_unreachable(unused_tcp_port):
    error = await refusal(f"ws://127.0.0.1:{unused_tcp_port}/")
    assert str(error) == f"cannot reach ws://127.0.0.1:{unused_tcp_port}/ (Connection refused)"


async def test_a_page_is_no_endpoint(serve):
    async with serve(closing(1000)) as url:
        error = await refusal(url + "elsewhere")
    assert isinstance(error, NotAnEndpoint)
    assert str(error).endswith("is no GraphQL WebSocket endpoint (it answers with HTTP 404)")


async def test_a_websocket_without_the_subprotocol_is_no_endpoint(serve):
    async with serve(closing(1000), protocols=("chat",)) as url:
        error = await refusal(url)
    assert isinstance(error, NotAnEndpoint)
    assert "does not speak graphql-transport-ws" in str(error)


async def test_what_does_not_speak_http_is_no_endpoint():
    async def greet(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(f"http://127.0.0.1:{port}/")
    assert isinstance(error, NotAnEndpoint)
    assert "does not speak WebSocket" in str(error)


async def test_a_server_that_never_answers_is_unreachable():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = Transport(f"ws://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(Unreachable, match=r"within 0\.1 s"):
            await client.connect(timeout=0.1)
        await client.disconnect()


async def test_disconnecting_closes_with_1000_and_may_be_repeated(serve):
    codes = asyncio.Queue()

    async def listen(server):
        message = await server.ws.receive()
        await codes.put((message.type, message.data))

    async with serve(listen) as url:
        client = Transport(url)
        await client.connect()
        await client.disconnect()
        await client.disconnect()
        assert await asyncio.wait_for(codes.get(), 5) == (aiohttp.WSMsgType.CLOSE, 1000)


async def test_disconnecting_before_connecting_does_nothing():
    await Transport("ws://127.0.0.1:1/").disconnect()
