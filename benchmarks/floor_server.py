"""The ASGI floor: the least that an application can do which sends ready frames.

It accepts the subprotocol, acknowledges, and remembers who subscribed to which category.
On a trigger (the mutation's own message, of which only the name and category are read) it
formats one text, and hands it to every subscriber: nothing is looked up, checked, run or
encoded. FLOOR says how it is handed over:

- "queues" (the floor of the tables): each socket has an asyncio.Queue and a task that
  takes texts from it and awaits ASGI's `send`;
- "loop": no queue and no task; one loop awaits each socket's `send`, one after the other,
  so that a slow socket would delay the rest.
"""

import asyncio
import json
import os
from typing import Any

from benchmarks.probe import Probed, stamp

FRAME = (
    '{{"type":"next","id":"1","payload":{{"data":{{"onNewPatient":{{'
    '"message":"New patient added: {name}","patient":{{"id":"UGF0aWVudDoxMjM0NTY=",'
    '"name":"{name}","status":"ADMITTED","category":{{"code":"{category}"}}}}}}}}}}}}'
)
CONFIRMATION = '{"type":"next","id":"1","payload":{"data":null}}'

groups: dict[str, set["Socket"]] = {}


class Socket:
    """One client."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._queue: asyncio.Queue[str] | None = None
        self._task: asyncio.Task[None] | None = None
        self.groups: list[set[Socket]] = []

    async def text(self, text: str) -> None:
        """Send one text frame."""
        await self._send({"type": "websocket.send", "text": text})

    async def hand(self, text: str) -> None:
        """Take a notification."""
        if self._queue is None:
            await self.text(text)
        else:
            self._queue.put_nowait(text)

    def use_queue(self) -> None:
        self._queue = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        assert self._queue is not None
        while True:
            await self.text(await self._queue.get())

    def leave(self) -> None:
        for group in self.groups:
            group.discard(self)
        if self._task:
            self._task.cancel()


async def floor(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one socket."""
    if scope["type"] != "websocket":
        return
    socket = Socket(send)
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
    try:
        while (event := await receive())["type"] == "websocket.receive":
            await _on_message(socket, json.loads(event["text"]))
    finally:
        socket.leave()


async def _on_message(socket: Socket, message: dict[str, Any]) -> None:
    if message["type"] == "connection_init":
        await socket.text('{"type":"connection_ack"}')
    elif message["type"] == "subscribe":
        variables = message["payload"].get("variables", {})
        if "input" in variables:
            await _trigger(socket, message["id"], variables["input"])
        elif "category" in variables:
            await _subscribe(socket, variables["category"])
        else:
            await _answer(socket, message["id"], '{"__typename":"Query"}')


async def _subscribe(socket: Socket, category: str) -> None:
    group = groups.setdefault(category, set())
    group.add(socket)
    socket.groups.append(group)
    if os.environ.get("FLOOR") == "queues":
        socket.use_queue()
    await socket.text(CONFIRMATION)


async def _trigger(socket: Socket, id: str, input: dict[str, str]) -> None:
    stamp(input["name"])
    await announce(**input)
    await _answer(socket, id, '{"createPatient":{"errors":[]}}')


async def announce(name: str, category: str) -> None:
    """Hand a notification to the category's subscribers."""
    text = FRAME.format(name=name, category=category)
    for each in list(groups.get(category, ())):
        await each.hand(text)


async def _answer(socket: Socket, id: str, data: str) -> None:
    await socket.text(f'{{"type":"next","id":"{id}","payload":{{"data":{data}}}}}')
    await socket.text(f'{{"type":"complete","id":"{id}"}}')


application = Probed(floor, announce)
