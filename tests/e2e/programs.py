"""Programs on a pipe: a test writes lines to one, and waits for the lines it prints."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.e2e.servers import ROOT

JAVASCRIPT = ROOT / "example_client" / "javascript"
TIMEOUT = 60.0


def missing(what: str) -> None:
    """Skip the test, saying `what` is missing; fail it where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def require_npm_clients() -> str:
    """Return the path of node; skip the test where it, or a client, is not installed."""
    node = require_program("node", "nodejs")
    if not (JAVASCRIPT / "node_modules").is_dir():
        missing("the npm clients are missing: make test-assets")
    return node


def write_program(folder: Path, path: str, code: str) -> Path:
    """Write a JavaScript program below `folder`, where it finds what it imports; return it."""
    (folder / "legacy").mkdir(exist_ok=True)
    for name in ("node_modules", "session.mjs", "legacy/node_modules"):
        if not (folder / name).exists():
            (folder / name).symlink_to(JAVASCRIPT / name)
    file = folder / path
    file.write_text(code)
    return file


class Program:
    """A running program; every wait ends with an error that shows what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.printed: list[str] = []

    async def line(self) -> str:
        """Return the next line it prints; raise AssertionError at its end, or if none comes."""
        try:
            async with asyncio.timeout(TIMEOUT):
                line = (await self._process.stdout.readline()).decode()
        except TimeoutError:
            raise AssertionError(f"it said nothing more after {self.printed}") from None
        assert line, f"it ended after {self.printed}"
        self.printed.append(line.rstrip("\n"))
        return self.printed[-1]

    async def say(self, line: str) -> None:
        """Write a line to it."""
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def end(self) -> int:
        """Close its input, and return the exit code once it has ended."""
        self._process.stdin.close()
        async with asyncio.timeout(TIMEOUT):
            rest = await self._process.stdout.read()
            self.printed += rest.decode().splitlines()
            return await self._process.wait()


@asynccontextmanager
async def program(*command: str | Path) -> AsyncIterator[Program]:
    """Run `command`; stderr is taken for output, and the program ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield Program(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
