"""A client on a socket in the test's own loop, where a test may look into the server too."""

import asyncio
import json
from typing import Any

from channels.testing import WebsocketCommunicator

TRANSPORT_WS = "graphql-transport-ws"
LEGACY = "graphql-ws"
SUBPROTOCOLS = (TRANSPORT_WS, LEGACY)
TIMEOUT = 20


class Ended(Exception):
    """The server closed the socket; `code` and `reason` are its close frame's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Wire:
    """A socket of a consumer class, or of a whole ASGI application.

    Entered, it is connected and, unless `init` is False, acknowledged. Every frame that came
    is in `frames`, as text.

    Args:
        application: what is connected to.
        user: who is there, for a consumer class; an application finds out by itself.
        init: connection_init's payload; False sends none.
    """

    def __init__(
        self,
        application: Any,
        user: Any = None,
        subprotocol: str = TRANSPORT_WS,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        init: Any = None,
    ) -> None:
        headers = [(b"host", b"testserver"), *headers]
        self._socket = WebsocketCommunicator(application, "/graphql/", headers, [subprotocol])
        self._socket.scope["client"] = ["127.0.0.1", 1]
        if user is not None:
            self._socket.scope["user"] = user
        self._legacy = subprotocol == LEGACY
        self._init = init
        self.frames: list[str] = []

    async def __aenter__(self) -> "Wire":
        connected, _ = await self._socket.connect(TIMEOUT)
        assert connected
        if self._init is not False:
            payload = {"confirmSubscriptions": True, **(self._init or {})}
            await self.send(type="connection_init", payload=payload)
            message = await self.receive()
            assert message["type"] == "connection_ack", message
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.disconnect(timeout=TIMEOUT)

    async def send(self, **message: Any) -> None:
        await self._socket.send_json_to(message)

    async def send_text(self, text: str) -> None:
        await self._socket.send_to(text_data=text)

    async def start(self, query: str, op_id: str = "1", /, **variables: Any) -> None:
        """Send an operation."""
        payload = {"query": query, "variables": variables}
        await self.send(id=op_id, type="start" if self._legacy else "subscribe", payload=payload)

    async def receive(self) -> dict[str, Any]:
        """Return the next message that is no ping; raise Ended at the close frame."""
        while True:
            event = await self._socket.receive_output(TIMEOUT)
            if event["type"] == "websocket.close":
                raise Ended(event["code"], event.get("reason", ""))
            self.frames.append(event["text"])
            message = json.loads(event["text"])
            if message["type"] not in ("ping", "ka"):
                return message

    async def ended(self) -> Ended:
        """Return how the server closes the socket, whatever it sends before."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                try:
                    await self.receive()
                except Ended as end:
                    return end

    async def ask(self, query: str, op_id: str = "1", /, **variables: Any) -> dict[str, Any]:
        """Run a query or mutation; return its response, `{"errors": …}` if it did not run."""
        await self.start(query, op_id, **variables)
        message = await self.receive()
        if message["type"] == "error":
            return {"errors": self.errors_in(message)}
        assert (await self.receive())["type"] == "complete"
        return message["payload"]

    async def subscribe(self, query: str, op_id: str = "1", /, **variables: Any) -> list[str]:
        """Subscribe; return the codes of the errors, [] once the subscription is in force."""
        await self.start(query, op_id, **variables)
        message = await self.receive()
        if message["type"] == "error":
            return codes({"errors": self.errors_in(message)})
        assert message["payload"]["data"] is None, message
        if "errors" in message["payload"]:
            assert (await self.receive())["type"] == "complete"
        return codes(message["payload"])

    async def event(self) -> dict[str, Any]:
        """Return the next notification's data."""
        message = await self.receive()
        assert message["type"] in ("next", "data"), message
        assert not message["payload"].get("errors"), message
        return message["payload"]["data"]

    def errors_in(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the errors in an `error` message of either subprotocol."""
        assert message["type"] == "error", message
        return message["payload"]["errors"] if self._legacy else message["payload"]


def codes(response: dict[str, Any]) -> list[str]:
    """Return the codes of a response's errors."""
    return [error["extensions"]["code"] for error in response.get("errors", [])]
