"""What is put under faults: two servers on PostgreSQL and Redis, or one on SQLite."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.clients import Browser, data_of
from tests.e2e.servers import Server
from tests.e2e.services import Postgres, Redis, postgres_binaries, running

# All clients are one user's, and come back quicker than people do.
LIMITS = {
    "MAX_SOCKETS_PER_USER": 1_000_000,
    "MAX_SUBSCRIPTIONS_PER_USER": 1_000_000,
    "REQUESTS_PER_SECOND_OF_CLIENT": 1_000_000,
    "REQUESTS_AT_ONCE_OF_CLIENT": 1_000_000,
}
# As in production, but without TLS; and without pages, so that no files need be collected.
PLAIN_HTTP = {
    **{"DEBUG": "off", "SECURE_COOKIES": "off", "SECURE_SSL_REDIRECT": "off"},
    "CHECK_AT_START": "off",
}
USER = "nurse"


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that PostgreSQL's own user may enter; delete it in the end.

    Pytest's are no such folders: it closes them to others whenever one begins somewhere.
    """
    with TemporaryDirectory(prefix="wardcast-services-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


class Victim(Server):
    """A server that is killed and paused with all its processes."""

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._send(signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        """Stop it where it is, its sockets open, until `resume`."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._send(signal.SIGCONT)

    def _send(self, how: signal.Signals) -> None:
        # gunicorn's first process before its workers, which it would replace.
        for pid in [self.process.pid, *_children(self.process.pid)]:
            os.kill(pid, how)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Installation:
    """Running servers and services.

    Args:
        folder: an empty one, made by `open_folder`.
        kinds: of the servers (see tests.e2e.servers.COMMANDS).
        services: whether they are on PostgreSQL and Redis.
        settings: more of the engine's settings (LIVE).
    """

    def __init__(
        self,
        folder: Path,
        kinds: Iterable[str],
        *,
        services: bool,
        settings: dict[str, object] | None = None,
    ) -> None:
        self._folder = folder
        self.redis = self.postgres = None
        database = f"sqlite:///{folder}/db.sqlite3"
        if services:
            self.redis = Redis(shutil.which("redis-server"))
            place = (postgres_binaries(), folder / "postgres")
            self.postgres = Postgres(*place, settings=["track_commit_timestamp=on"])
            database = self.postgres.url
        environment = {
            **PLAIN_HTTP,
            "DATABASE_URL": database,
            "REDIS_URL": self.redis.url if self.redis else "",
            "LIVE": json.dumps({**LIMITS, **(settings or {})}),
        }
        self.servers = [
            Victim(folder / f"{number}-{kind}", kind, environment)
            for number, kind in enumerate(kinds)
        ]
        for server in self.servers:
            server._secret_key = self.servers[0]._secret_key

    @property
    def environment(self) -> dict[str, str]:
        """The environment of whatever runs beside the servers."""
        return self.servers[0].env

    @property
    def ports(self) -> list[int]:
        return [server.port for server in self.servers]

    @asynccontextmanager
    async def run(self) -> AsyncIterator["Installation"]:
        """Start everything; stop it in the end, in whatever state it is."""
        with ExitStack() as stack:
            await asyncio.to_thread(self._start_services, stack)
            await asyncio.to_thread(self.servers[0].prepare)
            await asyncio.gather(*(self.start(server) for server in self.servers))
            try:
                yield self
            finally:
                for server in self.servers:
                    if server.process and server.process.poll() is None:
                        server.resume()
                    await asyncio.to_thread(server.stop)

    def _start_services(self, stack: ExitStack) -> None:
        if self.postgres and self.redis:
            self.postgres.create()
            stack.enter_context(running(self.postgres))
            stack.enter_context(running(self.redis))

    async def start(self, server: Server) -> None:
        """Start a server; return when it takes connections."""
        await asyncio.to_thread(server.start)

    async def cookie_and_position(self) -> tuple[str, str]:
        """Log in; return the Cookie header's value, and the log's end as clients see it."""
        async with Browser(self.servers[0], USER) as browser:
            position = data_of(await browser.post("{ position }"))["position"]
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        return cookies, position
