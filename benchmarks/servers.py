"""The servers that are measured, each a process of its own on a core of its own."""

import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import machine

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60

# Wardcast's bounds on one user and one socket would refuse the load before the benchmark
# is through: all its sockets are a few users', and its queries come from few sockets.
LIMITS = {
    "MAX_SOCKETS_PER_USER": 1_000_000,
    "MAX_SUBSCRIPTIONS_PER_USER": 1_000_000,
    "MESSAGES_PER_SECOND": 1_000_000,
    "MESSAGES_AT_ONCE": 1_000_000,
    "CPU_SHARE_OF_CLIENT": 1_000_000.0,
    "REQUESTS_PER_SECOND_OF_CLIENT": 1_000_000,
    "REQUESTS_AT_ONCE_OF_CLIENT": 1_000_000,
}

COMMANDS = {
    "daphne": ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p"],
    "uvicorn": [
        *("-m", "uvicorn", "--loop", "uvloop", "--ws", "websockets-sansio"),
        *("--lifespan", "off", "--log-level", "warning", "--no-access-log"),
        *("--host", "127.0.0.1", "--port"),
    ],
}
APPLICATIONS = {
    "wardcast": ("benchmarks.wardcast_server", {}),
    # On uvicorn only: as server.workers.Worker runs it.
    "wardcast-frames": ("benchmarks.wardcast_server", {}),
    "library": ("benchmarks.library_server", {}),
    "floor": ("benchmarks.floor_server", {"FLOOR": "queues"}),
    "floor-loop": ("benchmarks.floor_server", {"FLOOR": "loop"}),
}


@dataclass(frozen=True)
class Kind:
    """What is measured.

    Args:
        application: one of APPLICATIONS.
        host: the ASGI server, one of COMMANDS.
        layer: "memory" or "redis"; the floor has neither, and says "memory".
    """

    application: str
    host: str
    layer: str = "memory"

    def __str__(self) -> str:
        return f"{self.application}, {self.host}" + (", Redis" if self.layer == "redis" else "")


@dataclass
class House:
    """What all servers share: a folder, a key, a database to copy, the users' cookies."""

    folder: Path
    environment: dict[str, str]
    cookies: dict[str, Any] = field(default_factory=dict)
    redis_port: int | None = None
    database_url: str | None = None
    """Of a database that is no file to copy: then there is one server."""

    @property
    def database(self) -> Path:
        return self.folder / "template.sqlite3"


@contextmanager
def house(redis: bool, database: str | None = None) -> Iterator[House]:
    """Prepare the database, and a Redis if asked; clear everything away at the end.

    Args:
        database: the URL of an empty database, for one server; None: SQLite.
    """
    with tempfile.TemporaryDirectory(prefix="wardcast-bench-") as name:
        folder = Path(name)
        key = secrets.token_hex(32)
        environment = {**os.environ, "DEBUG": "off", "SECRET_KEY": key, "LOG_LEVEL": "WARNING"}
        environment |= {"SECURE_SSL_REDIRECT": "off", "LIVE": json.dumps(LIMITS)}
        # No page is asked for: its files are not collected.
        environment["CHECK_AT_START"] = "off"
        # The local channel layer's sockets go there, and away with it.
        environment["TMPDIR"] = name
        environment.pop("REDIS_URL", None)
        result = House(folder, environment, database_url=database)
        prepared_in = {"DATABASE_URL": database or f"sqlite:///{result.database}"}
        prepared = subprocess.run(
            [sys.executable, "-m", "benchmarks.prepare"],
            **{
                "cwd": ROOT,
                "env": environment | prepared_in,
                "capture_output": True,
                "check": True,
            },
        )
        result.cookies = json.loads(prepared.stdout)
        if not redis:
            yield result
            return
        with _redis(folder) as result.redis_port:
            yield result


@contextmanager
def _redis(folder: Path) -> Iterator[int]:
    """Run a Redis, on the load's core: its time is neither the server's nor the client's."""
    port = machine.free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(
        [*command, "--bind", "127.0.0.1", "--maxclients", "10000"], stdout=subprocess.DEVNULL
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


class Server:
    """One running server process; a context manager that starts and stops it.

    Args:
        kind: what to run.
        house: where.
        live: Wardcast's settings (LIVE).
    """

    def __init__(self, kind: Kind, house: House, live: dict[str, Any] = LIMITS) -> None:
        self.kind, self.house, self.live = kind, house, live
        self.port = machine.free_port()
        self.folder = house.folder / f"{self.port}"

    def __enter__(self) -> "Server":
        self.folder.mkdir()
        self.log = (self.folder / "log").open("wb")
        core, _ = machine.cores()
        self.process = subprocess.Popen(
            [sys.executable, *self._command()],
            **{"cwd": ROOT, "env": self._environment(), "stdout": self.log, "stderr": self.log},
            preexec_fn=partial(machine.pin, core),
        )
        self._wait()
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        return machine.cpu_seconds(self.pid)

    def resident(self) -> int:
        """Return the resident bytes, after a garbage collection."""
        self.ask("collect")
        return machine.resident_bytes(self.pid)

    def ask(self, what: str) -> Any:
        """Return the probe's answer to `/bench/WHAT`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", f"/bench/{what}")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def printed(self) -> str:
        """Return the last lines of what the server has printed."""
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def _command(self) -> list[str]:
        module, _ = APPLICATIONS[self.kind.application]
        command = COMMANDS[self.kind.host]
        if self.kind.application == "wardcast-frames":
            command = ["-m", "benchmarks.frames_host"]
        return [*command, str(self.port), f"{module}:application"]

    def _environment(self) -> dict[str, str]:
        _, more = APPLICATIONS[self.kind.application]
        environment = self.house.environment | more
        environment["DATABASE_URL"] = self.house.database_url or self._copied_database()
        environment["LIVE"] = json.dumps(self.live)
        if self.kind.layer == "redis":
            environment["REDIS_URL"] = f"redis://127.0.0.1:{self.house.redis_port}/0"
        return environment

    def _copied_database(self) -> str:
        shutil.copy(self.house.database, self.folder / "db.sqlite3")
        return f"sqlite:///{self.folder}/db.sqlite3"

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.ask("ready")
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
        self.process.kill()
        raise SystemExit(f"{self.kind} did not start:\n{self.printed()}")
