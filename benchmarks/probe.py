"""Inside each measured server: commit times, and how long the event loop was blocked.

`Probed(application)` serves `/bench/…` over HTTP beside the application; whatever else
comes is the application's, and is not touched.
"""

import asyncio
import contextlib
import ctypes
import gc
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

# Between two looks at the clock: a block is measured up to this much too short.
INTERVAL_SECONDS = 0.002

stamps: dict[int, int] = {}
"""When each event was committed: its number → nanoseconds of CLOCK_MONOTONIC."""


def stamp(name: str) -> None:
    """Note that the event whose number is in `name` (see benchmarks.wire) is committed now."""
    now = time.monotonic_ns()
    number = name.partition("#")[2][:7]
    if number.isdecimal():
        stamps[int(number)] = now


class LagProbe:
    """A task that sleeps shortly, over and over, and notes by how much it woke too late."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self.longest = 0.0

    def start(self) -> None:
        self.longest = 0.0
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> float:
        """Return the longest lag in milliseconds."""
        if self._task:
            self._task.cancel()
        return self.longest * 1e3

    async def _watch(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            now = time.monotonic()
            self.longest = max(self.longest, now - before - INTERVAL_SECONDS)
            before = now


def collect() -> None:
    """Give back what is not used, so that resident memory is what is."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc's


Announce = Callable[[str, str], Awaitable[None]]


class Probed:
    """ASGI middleware that answers the benchmark's own questions.

    Args:
        application: what is measured.
        announce: broadcasts a patient of this name and category that is not inserted, and
            returns when that is done.
    """

    def __init__(self, application: Any, announce: Announce) -> None:
        self.application, self.announce = application, announce
        self.lag = LagProbe()
        self.answers: dict[str, Callable[[], Any]] = {
            "/bench/ready": lambda: True,
            "/bench/stamps": lambda: self._take_stamps(),
            "/bench/collect": collect,
            "/bench/lag/start": lambda: self.lag.start(),
            "/bench/lag/stop": lambda: self.lag.stop(),
        }

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["type"] != "http" or not scope["path"].startswith("/bench/"):
            return await self.application(scope, receive, send)
        body = json.dumps(await self._answer(scope)).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any]) -> Any:
        if scope["path"] != "/bench/announce":
            return self.answers[scope["path"]]()
        query = parse_qs(scope["query_string"].decode())
        name, category = query["name"][0], query["category"][0]
        stamp(name)
        await self.announce(name, category)
        return True

    @staticmethod
    def _take_stamps() -> dict[int, int]:
        taken = dict(stamps)
        stamps.clear()
        return taken
