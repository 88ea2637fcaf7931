"""The socket: the library's aiohttp transport, mended.

django-channels-graphql-ws 1.0.0rc7's own cannot connect on Python 3.11 or newer (it gives
coroutines to `asyncio.wait`), passes a timeout that aiohttp deprecated, gives up a silent
connection after a minute, and hands on None where a connection has ended.
"""

import asyncio
import contextlib
import json
import os
import ssl
from typing import Any

import aiohttp
from channels_graphql_ws.transport import GraphqlWsTransportAiohttp

from example_client.errors import ConnectionLost, NotAnEndpoint, Unreachable, from_close

SUBPROTOCOL = "graphql-transport-ws"
# A server that needs longer to accept is taken for one that is away.
CONNECT_SECONDS = 10.0
# How long a leaving client waits for the server's good-bye: not longer than a user does.
CLOSE_SECONDS = 2.0
# A ping (RFC 6455) after so much silence: without it, a server whose machine lost its power
# would be waited for without end.
HEARTBEAT_SECONDS = 20.0

ABNORMAL_CLOSURE = 1006


class Transport(GraphqlWsTransportAiohttp):
    """A GraphQL WebSocket over aiohttp.

    One task may receive at a time; nothing is buffered here, so a slow reader slows the
    server's sending, not the client's memory.

    Args:
        ca: a PEM file of certificates to trust beside the system's.
    """

    def __init__(self, url: str, *, ca: str | None = None, **kwargs: Any) -> None:
        super().__init__(url, **kwargs)
        self._ca = ca
        self._session: aiohttp.ClientSession | None = None
        # The library declares it only, so that any use before `connect` is an AttributeError.
        self._connection: aiohttp.ClientWebSocketResponse | None = None

    async def connect(self, timeout: float | None = None, subprotocol: str = SUBPROTOCOL) -> None:  # noqa: ASYNC109
        """Connect, within `timeout` seconds (10 without it).

        Raises Unreachable, or NotAnEndpoint where an answer comes that is no WebSocket or
        lacks the subprotocol.
        """
        seconds = timeout or CONNECT_SECONDS
        self._session = aiohttp.ClientSession(cookies=self._cookies, headers=self._headers)
        try:
            async with asyncio.timeout(seconds):
                self._connection = await self._session.ws_connect(
                    self._url,
                    protocols=[subprotocol],
                    heartbeat=HEARTBEAT_SECONDS,
                    ssl=trusting(self._ca),
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                )
        except TimeoutError:
            raise Unreachable(f"no answer from {self._url} within {seconds:g} s") from None
        except aiohttp.ClientResponseError as error:
            raise NotAnEndpoint(no_endpoint(self._url, answer(error))) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(f"cannot reach {self._url} ({reason(error)})") from error
        if self._connection.protocol != subprotocol:
            raise NotAnEndpoint(no_endpoint(self._url, f"it does not speak {subprotocol}"))

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Returns also where the connection has ended: `receive` then gives what had come in
        before, and raises with the server's code and reason.
        """
        assert self._connection is not None, "connect() comes first"
        with contextlib.suppress(ConnectionError):
            await self._connection.send_str(json.dumps(message))

    async def receive(self, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109
        """Return the next message; wait `timeout` seconds for it, for ever without it.

        Raises:
            TimeoutError: nothing came.
            ConnectionLost, NotPermitted, Refused: the connection has ended, see `from_close`.
            NotAnEndpoint: what came is no GraphQL message.
        """
        assert self._connection is not None, "connect() comes first"
        frame = await self._connection.receive(timeout)
        if frame.type == aiohttp.WSMsgType.CLOSE:
            raise from_close(frame.data, frame.extra or "")
        if frame.type == aiohttp.WSMsgType.ERROR:
            code = getattr(frame.data, "code", None) or ABNORMAL_CLOSURE
            raise ConnectionLost(code, reason(frame.data))
        if frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
            raise ConnectionLost(ABNORMAL_CLOSURE)
        return self._decoded(frame)

    def _decoded(self, frame: aiohttp.WSMessage) -> dict[str, Any]:
        message = None
        if frame.type == aiohttp.WSMsgType.TEXT:
            with contextlib.suppress(ValueError):
                message = json.loads(frame.data)
        if not isinstance(message, dict):
            raise NotAnEndpoint(no_endpoint(self._url, "it sends what is no GraphQL message"))
        return message

    async def disconnect(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Say good-bye and close; does nothing where there is no connection."""
        if self._connection is not None:
            await self._connection.close(code=aiohttp.WSCloseCode.OK)
        if self._session is not None:
            await self._session.close()

    async def wait_disconnect(self, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109
        """Wait until the server closes; return its `code` and `reason`. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                try:
                    await self.receive()
                except ConnectionLost as lost:
                    return {"code": lost.code, "reason": lost.reason}


def trusting(ca: str | None) -> ssl.SSLContext | bool:
    """Return what aiohttp takes for `ssl`: the system's authorities, and those in the file `ca`."""
    if ca is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(ca)
    return context


def no_endpoint(url: str, why: str) -> str:
    """Return the text of a NotAnEndpoint."""
    return f"{url} is no GraphQL WebSocket endpoint ({why})"


def answer(error: aiohttp.ClientResponseError) -> str:
    """Return in a few words what the server answered instead of opening a WebSocket."""
    if isinstance(error, aiohttp.WSServerHandshakeError) and error.status != 101:
        return f"it answers with HTTP {error.status}"
    return "it does not speak WebSocket"


def reason(error: BaseException | None) -> str:
    """Return in a few words what went wrong on the network."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        untrusted = error.certificate_error
        why = getattr(untrusted, "verify_message", "") or "it is not valid"
        return f"its certificate is not trusted: {why}; --ca FILE names who is"
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ssl.SSLError):
        # Its number is OpenSSL's, which the system would take for one of its own.
        return f"TLS failed: {cause.reason or 'no reason given'}"
    if isinstance(cause, OSError):
        # A resolver's numbers are negative, and its own text is the better one.
        number = cause.errno or 0
        return (os.strerror(number) if number > 0 else cause.strerror) or str(error)
    return str(error) or type(error).__name__
