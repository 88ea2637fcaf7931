"""Clerks, the processes of tests.e2e.faults.clerk, from outside."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.e2e.faults.ledger import Entry, Row
from tests.e2e.servers import ROOT

TIMEOUT = 120.0
LONGEST_LINE = 2**24


class Died(Exception):
    """The process ended."""


class Clerk:
    """One clerk; it does one thing at a time.

    Args:
        environment: where its database and its channel layer are.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> "Clerk":
        """Start the process, and return when it takes commands."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.e2e.faults.clerk"),
            **{"cwd": ROOT, "env": self._environment, "limit": LONGEST_LINE},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await self.answer("ready")
        return self

    async def kill(self) -> None:
        """Kill it as `kill -9` does."""
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def pause(self) -> None:
        """Stop it where it is; `kill` ends that too."""
        self._process.send_signal(signal.SIGSTOP)

    async def revive(self) -> None:
        """Start it again if it has ended."""
        if self._process.returncode is not None:
            await self.start()

    # ---- commands

    async def order(self, command: str, **arguments: Any) -> None:
        """Have it begin with `command`."""
        line = json.dumps({"do": command, **arguments})
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def next_answer(self) -> dict[str, Any]:
        """Return its next line; raise Died at its end."""
        async with asyncio.timeout(TIMEOUT):
            line = await self._process.stdout.readline()
        if not line:
            raise Died
        return json.loads(line)

    async def answer(self, key: str) -> Any:
        """Return what it says under `key`, which its next line must have."""
        return (await self.next_answer())[key]

    async def committed(self, **arguments: Any) -> AsyncIterator[tuple[range, float]]:
        """Have it write; yield the ordinals of each transaction, and when it was committed.

        Times are those of the monotonic clock, which the whole machine shares. Arguments as
        the clerk's `write` has them.
        """
        await self.order("write", **arguments)
        while "committed" in (answer := await self.next_answer()):
            first, last = answer["committed"]
            yield range(first, last + 1), answer["at"]

    async def entries(self, after: int = 0) -> list[Entry]:
        """Return the log's records after number `after`."""
        await self.order("read_log", after=after)
        return [Entry(*row) for row in await self._rows()]

    async def rows(self) -> list[Row]:
        """Return all patients that clerks have written."""
        await self.order("read_table")
        return [Row(*row) for row in await self._rows()]

    async def wait_for_end(self) -> None:
        """Return when the process has ended."""
        async with asyncio.timeout(TIMEOUT):
            await self._process.wait()

    async def _rows(self) -> list[list[Any]]:
        rows: list[list[Any]] = []
        while more := await self.answer("rows"):
            rows += more
        return rows


@asynccontextmanager
async def clerks(environment: Mapping[str, str], count: int) -> AsyncIterator[list[Clerk]]:
    """Start so many clerks; kill them in the end."""
    found = [Clerk(environment) for _ in range(count)]
    try:
        await asyncio.gather(*(clerk.start() for clerk in found))
        yield found
    finally:
        await asyncio.gather(*(clerk.kill() for clerk in found))
