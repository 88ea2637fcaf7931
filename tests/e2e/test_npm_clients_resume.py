"""The clients that are shown get each event once, in order, while the server is killed.

What runs here is the text of the README and of docs/clients.md itself, not a copy.
"""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.e2e.programs import program, require_npm_clients, write_program
from tests.e2e.registry import registry
from tests.shown_snippets import shown

SHOWN = "example_client/javascript"
CLIENTS = {path: code for path, code in shown().items() if "onNewPatient" in code and SHOWN in path}
# What happens before the server is killed, and while it is away; the first time, nothing has been
# delivered that a client could go on after.
BURSTS = [(0, 10), (15, 15), (15, 15)]
# Of a burst, so many are awaited: the server is killed while it delivers the rest.
AWAITED = 4


class Client:
    """A running program, and the patients that it has told of."""

    def __init__(self, running):
        self._program = running
        self.names = []

    async def ready(self):
        assert await self._program.line() == "ready"

    async def until(self, count):
        """Wait until it has told of so many; whatever else it says is an error."""
        while len(self.names) < count:
            line = await self._program.line()
            if line != "ready":  # said again whenever it has come back
                self.names.append(json.loads(line)["patient"]["name"])


@asynccontextmanager
async def clients(folder, server):
    """Start each of the clients; give them, by path, once they miss nothing."""
    node = require_npm_clients()
    started = {}
    async with AsyncExitStack() as stack:
        for path, code in CLIENTS.items():
            file = write_program(folder, path.removeprefix(f"{SHOWN}/"), code)
            running = await stack.enter_async_context(program(node, file, server.url, "IX"))
            started[path] = Client(running)
        for client in started.values():
            await client.ready()
        yield started


async def all_until(started, count):
    await asyncio.gather(*(client.until(count) for client in started.values()))


@pytest.fixture
def clerk(server):
    with registry(server) as running:
        running.finish()
        yield running


async def test_each_client_gets_each_event_once_and_in_order(server, clerk, tmp_path):
    names = []

    def begin(count):
        new = [f"survivor {number:03}" for number in range(len(names), len(names) + count)]
        names.extend(new)
        clerk.begin(*(f"IX {name}" for name in new))

    async with clients(tmp_path, server) as started:
        for before, meanwhile in BURSTS:
            begin(before)
            await all_until(started, len(names) - before + min(before, AWAITED))
            server.process.kill()
            server.process.wait()
            begin(meanwhile)
            server.start()
            await all_until(started, len(names))
        # What was repeated last would come before this.
        begin(1)
        await all_until(started, len(names))
    assert {path: client.names for path, client in started.items()} == dict.fromkeys(CLIENTS, names)
    assert len(started) == 4
