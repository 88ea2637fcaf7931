"""A gunicorn with several workers, as docs/operations.md has it started, is one server."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from tests.e2e.clients import Client
from tests.e2e.together import CREATE, WATCH, names_until, register, servers_together

WORKERS = 4
CLIENTS = 12
# The kernel gives a connection to whichever worker is there first.
MOST_CLIENTS = 10 * CLIENTS


@pytest.fixture(scope="module")
def gunicorn():
    """A gunicorn with several workers on PostgreSQL and Redis."""
    with servers_together("gunicorn", workers=WORKERS) as (server,):
        yield server


def worker_of(server, client):
    """Return the process id of the worker that has the other end of a client's socket."""
    port = client.ws.get_extra_info("sockname")[1]
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = (f":{server.port:04X}", f":{port:04X}")
    # A connection of before, with the same ports, may still be waiting: it has no inode.
    sockets = {
        f"socket:[{line[9]}]"
        for line in lines
        if (line[1][-5:], line[2][-5:]) == ends and line[9] != "0"
    }
    return next(pid for pid in workers(server) if sockets & set(open_files(pid)))


def workers(server):
    pid = server.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def open_files(pid):
    files = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            files.append(str(file.readlink()))
    return files


async def connect_to_several(stack, server):
    """Return clients, of whom not all have the same worker."""
    clients, serving = [], set()
    while len(clients) < CLIENTS or len(serving) < 2:
        assert len(clients) < MOST_CLIENTS, "all clients came to one worker"
        clients.append(await stack.enter_async_context(Client(server, "demo")))
        serving.add(worker_of(server, clients[-1]))
    return clients


async def test_the_clients_of_all_workers_get_each_event_once_in_order(gunicorn):
    asked = [f"asked {number}" for number in range(5)]
    shelled = [f"by a shell {number}" for number in range(20)]
    async with AsyncExitStack() as stack:
        clients = await connect_to_several(stack, gunicorn)
        assert len(workers(gunicorn)) == WORKERS
        streams = [await client.subscribe(WATCH) for client in clients]
        for name, client in zip(asked, clients, strict=False):
            await client.execute(CREATE, {"name": name})
        await asyncio.to_thread(register, gunicorn, *shelled)
        await clients[-1].execute(CREATE, {"name": "last"})
        for stream in streams:
            assert await names_until(stream, "last") == [*asked, *shelled, "last"]
            assert stream.pending() == []
