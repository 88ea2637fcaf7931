"""A small GraphQL client for tests: HTTP and both WebSocket subprotocols, over aiohttp."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.e2e.servers import Server

TRANSPORT_WS = "graphql-transport-ws"
LEGACY = "graphql-ws"
SUBPROTOCOLS = (TRANSPORT_WS, LEGACY)
TIMEOUT = 60.0

LOGIN = """
  mutation ($username: String!, $password: String!) {
    login(username: $username, password: $password) { ok }
  }
"""
ON_NEW_PATIENT = """
  subscription ($category: String) {
    onNewPatient(category: $category) {
      message
      patient { id name externalId status category { code } }
    }
  }
"""
ON_PATIENT_CHANGED = """
  subscription ($id: ID, $category: String) {
    onPatientChanged(id: $id, category: $category) {
      change
      patient { id name status category { code } }
    }
  }
"""
CREATE_PATIENT = """
  mutation ($input: CreatePatientMutationInput!) {
    createPatient(input: $input) { patient { id } errors { field messages } }
  }
"""


class Refused(Exception):
    """The server answered with errors; `codes` are their `extensions.code`."""

    def __init__(self, errors: list[dict]) -> None:
        super().__init__(errors)
        self.codes = [error.get("extensions", {}).get("code") for error in errors]


class Closed(Exception):
    """The server closed the socket; `code` is its close code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"the server closed the socket with {code}")
        self.code = code


def data_of(payload: dict[str, Any]) -> Any:
    """Return the data in a GraphQL response; raise Refused where it has errors."""
    if payload.get("errors"):
        raise Refused(payload["errors"])
    return payload["data"]


class Browser:
    """HTTP with cookies, as a browser keeps them; `user`'s password is the user's name.

    Who is logged in is so from the start: the log-in is made once for a server and user,
    since a password's hash is slow on purpose.
    """

    def __init__(
        self, server: Server, user: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.server = server
        self.user = user
        self._headers = headers

    async def __aenter__(self):
        jar = aiohttp.CookieJar(unsafe=True)  # unsafe: cookies of a numeric address
        self.http = aiohttp.ClientSession(
            cookie_jar=jar, headers=self._headers, timeout=aiohttp.ClientTimeout(TIMEOUT)
        )
        if self.user:
            if self.user not in self.server.sessions:
                assert (await self.log_in(self.user, self.user))["ok"]
                self.server.sessions[self.user] = self.cookies
            jar.update_cookies(self.server.sessions[self.user])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.http.close()

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.http.cookie_jar}

    async def log_in(self, username: str, password: str) -> dict[str, Any]:
        """Log in over HTTP with a session of its own; return the payload."""
        variables = {"username": username, "password": password}
        return data_of(await self.post(LOGIN, variables))["login"]

    async def post(self, query: str, variables: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Send an operation over HTTP, with the CSRF token where there is one."""
        token = self.cookies.get("csrftoken")
        headers = {"X-CSRFToken": token} if token else {}
        body = {"query": query, "variables": variables}
        async with self.http.post(self.server.url, json=body, headers=headers, **kwargs) as answer:
            assert answer.status in (200, 400), f"{answer.status}: {await answer.text()}"
            return await answer.json()


class Subscription:
    """One running subscription; its events wait here until they are asked for."""

    def __init__(self, client: "Client", op_id: str) -> None:
        self._client = client
        self.op_id = op_id

    async def next(self) -> dict[str, Any]:
        """Return the next event's data; raise Refused, Closed, or TimeoutError."""
        message = await self._client.receive(self.op_id)
        if message["type"] == "complete":
            raise Closed(None)
        return data_of(message["payload"])

    async def until(self, is_last: Callable[[dict], bool]) -> list[dict[str, Any]]:
        """Return the events before the one that `is_last` is true of."""
        events = []
        async with asyncio.timeout(TIMEOUT):
            while not is_last(event := await self.next()):
                events.append(event)
        return events

    def pending(self) -> list[str]:
        """Return the types of the messages that have come and were not read."""
        return self._client.pending(self.op_id)

    async def complete(self) -> None:
        """Tell the server that no more events are wanted."""
        await self._client.send(
            id=self.op_id, type="complete" if self._client.is_current else "stop"
        )


class Client(Browser):
    """A GraphQL socket.

    Args:
        server: where to connect.
        user: who is logged in, nobody by default.
        subprotocol: TRANSPORT_WS or LEGACY.
        headers: more headers, for HTTP and the handshake.
        confirm: ask the server to tell when a subscription is registered.
    """

    def __init__(
        self,
        server: Server,
        user: str | None = None,
        subprotocol: str = TRANSPORT_WS,
        headers: dict[str, str] | None = None,
        confirm: bool = True,
    ) -> None:
        super().__init__(server, user, headers)
        self._subprotocol = subprotocol
        self._confirm = confirm
        self._queues: dict[str | None, asyncio.Queue[dict]] = {}
        self._ids = itertools.count(1)
        self._end: dict[str, Any] | None = None

    @property
    def is_current(self) -> bool:
        """Whether it speaks the current subprotocol, not the legacy one."""
        return self._subprotocol == TRANSPORT_WS

    async def __aenter__(self):
        await super().__aenter__()
        try:
            self.ws = await self.http.ws_connect(
                self.server.ws_url, protocols=[self._subprotocol], max_msg_size=0
            )
        except BaseException:
            await self.http.close()
            raise
        assert self.ws.protocol == self._subprotocol
        self._reader = asyncio.create_task(self._read())
        await self.send(type="connection_init", payload={"confirmSubscriptions": self._confirm})
        answer = await self.receive(None)
        assert answer["type"] == "connection_ack", answer
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.ws.close()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await super().__aexit__(*exc_info)

    async def send(self, **message: Any) -> None:
        await self.ws.send_json(message)

    async def receive(self, op_id: str | None, seconds: float | None = TIMEOUT) -> dict[str, Any]:
        """Return the next message with this id (None: without one); raise Closed at the end."""
        async with asyncio.timeout(seconds):
            message = await self._queue(op_id).get()
        if message is self._end:
            self._queue(op_id).put_nowait(message)
            raise Closed(message["code"])
        return message

    def pending(self, op_id: str) -> list[str]:
        """Return the types of the messages with this id that nobody has asked for."""
        messages = self._queues.pop(op_id, asyncio.Queue())
        return [messages.get_nowait()["type"] for _ in range(messages.qsize())]

    async def execute(self, query: str, variables: Any = None) -> Any:
        """Run a query or mutation; return its data, raise Refused."""
        op_id = await self._start(query, variables)
        message = await self.receive(op_id)
        if message["type"] == "error":
            raise Refused(self._errors(message))
        assert (await self.receive(op_id))["type"] == "complete"
        return data_of(message["payload"])

    async def subscribe(self, query: str, **variables: Any) -> Subscription:
        """Start a subscription; return once the server has registered it, raise Refused."""
        op_id = await self._start(query, variables)
        if self._confirm:
            message = await self.receive(op_id)
            if message["type"] == "error":
                raise Refused(self._errors(message))
            assert data_of(message["payload"]) is None, message
        return Subscription(self, op_id)

    async def _start(self, query: str, variables: Any) -> str:
        op_id = str(next(self._ids))
        await self.send(
            id=op_id,
            type="subscribe" if self.is_current else "start",
            payload={"query": query, "variables": variables},
        )
        return op_id

    def _errors(self, message: dict[str, Any]) -> list[dict]:
        payload = message["payload"]
        return payload if self.is_current else payload["errors"]

    def _queue(self, op_id: str | None) -> asyncio.Queue[dict]:
        if op_id not in self._queues:
            self._queues[op_id] = asyncio.Queue()
            if self._end:
                self._queues[op_id].put_nowait(self._end)
        return self._queues[op_id]

    async def _read(self) -> None:
        async for frame in self.ws:
            message = frame.json()
            if message["type"] == "ping":
                await self.send(type="pong")
            elif message["type"] not in ("pong", "ka"):
                self._queue(message.get("id")).put_nowait(message)
        self._end = {"type": "closed", "code": self.ws.close_code}
        for queue in self._queues.values():
            queue.put_nowait(self._end)
