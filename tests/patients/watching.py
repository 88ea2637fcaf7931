"""A client on a socket, in-process, for tests that count what is told."""

import asyncio
import functools
import threading
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

TIMEOUT_SECONDS = 60

NEW = "subscription { onNewPatient { patient { name } } }"
CHANGED = "subscription { onPatientChanged { change patient { name } } }"


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of all sockets, in a thread of its own, as a server has one."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


class Watch:
    """A subscription of `user`, beside the test, which goes on in its own thread.

    As a context manager it is entered when the subscription is in force. The end of what is
    told is marked by the test itself: it makes an event that it knows, and asks for those
    that came before it.
    """

    def __init__(self, user: Any, query: str = NEW) -> None:
        client = Client()
        client.force_login(user)
        self._cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        self._query = query

    def __enter__(self) -> "Watch":
        self._run(self._open())
        return self

    def __exit__(self, *exc: object) -> None:
        self._run(self._socket.disconnect())

    def until(self, name: str) -> list[dict[str, Any]]:
        """Return the events that came before the one of the patient `name`, in order."""
        return self._run(self._until(name))

    def names_until(self, name: str) -> list[str]:
        """Return the patients' names in the events before the one of `name`."""
        return [event["patient"]["name"] for event in self.until(name)]

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, _loop()).result(2 * TIMEOUT_SECONDS)

    async def _open(self) -> None:
        from server.asgi import application

        cookie = f"{settings.SESSION_COOKIE_NAME}={self._cookie}".encode()
        headers = [(b"host", b"127.0.0.1"), (b"cookie", cookie)]
        self._socket = WebsocketCommunicator(
            application, "/graphql/", headers=headers, subprotocols=["graphql-transport-ws"]
        )
        connected, _ = await self._socket.connect(TIMEOUT_SECONDS)
        assert connected
        # Confirmed: what happens from then on is told.
        await self._send(type="connection_init", payload={"confirmSubscriptions": True})
        assert (await self._receive())["type"] == "connection_ack"
        await self._send(type="subscribe", id="1", payload={"query": self._query})
        confirmation = await self._receive()
        assert confirmation["payload"]["data"] is None, confirmation
        assert not confirmation["payload"].get("errors"), confirmation

    async def _send(self, **message: Any) -> None:
        await self._socket.send_json_to(message)

    async def _receive(self) -> dict[str, Any]:
        message = await self._socket.receive_json_from(TIMEOUT_SECONDS)
        while message["type"] == "ping":
            await self._send(type="pong")
            message = await self._socket.receive_json_from(TIMEOUT_SECONDS)
        return message

    async def _until(self, name: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        while True:
            message = await self._receive()
            assert message["type"] == "next", message
            (event,) = message["payload"]["data"].values()
            if event["patient"]["name"] == name:
                return events
            events.append(event)
