"""A Django shell beside a server, which runs one piece of code after the other."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from typing import Any

from tests.e2e.servers import ROOT, Server

# Answers with an empty line when a piece of code has been run; ends with a traceback.
LOOP = """
import json, sys
for line in sys.stdin:
    exec(json.loads(line), globals())
    print(flush=True)
"""
SECONDS = 60


class Shell:
    """One process: what a piece of code defines is there for those that follow.

    Args:
        server: whose database and settings it has.
        preamble: the first piece of code.
    """

    def __init__(self, server: Server, preamble: str = "") -> None:
        self._server, self._preamble = server, preamble

    async def __aenter__(self) -> "Shell":
        command = (sys.executable, "manage.py", "shell", "-v0", "-c", LOOP)
        pipes = {"stdin": PIPE, "stdout": PIPE}
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=self._server.env, **pipes
        )
        await self.run(self._preamble)
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        self._process.stdin.close()
        await self._process.wait()

    async def run(self, code: str) -> str:
        """Run `code` to its end; return what it printed, raise RuntimeError where it raised."""
        self._process.stdin.write(f"{json.dumps(code)}\n".encode())
        await self._process.stdin.drain()
        printed = []
        async with asyncio.timeout(SECONDS):
            while (line := (await self._process.stdout.readline()).decode()) != "\n":
                if not line:
                    raise RuntimeError("the code raised an error: see what the shell printed")
                printed.append(line)
        return "".join(printed)
