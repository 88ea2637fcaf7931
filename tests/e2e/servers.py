"""Real servers for end-to-end tests, each on a free port with a database of its own."""

import functools
import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60

STAFF = """
from django.contrib.auth.models import Permission, User
User.objects.create_superuser("demo", password="demo")
nurse = User.objects.create_user("nurse", password="nurse")
nurse.user_permissions.add(Permission.objects.get(codename="view_patient"))
User.objects.create_user("visitor", password="visitor")
"""

# A module's tests are a crowd under one name, quicker than any ward's screens.
CROWD = {"REQUESTS_PER_SECOND_OF_CLIENT": 1000, "REQUESTS_AT_ONCE_OF_CLIENT": 10_000}

DATABASE = "db.sqlite3"

COMMANDS = {
    "daphne": ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "server.asgi:application"],
    "uvicorn": [
        *("-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}"),
        *("--ws", "websockets-sansio", "--lifespan", "off", "server.asgi:application"),
    ],
    "gunicorn": [
        *("-m", "gunicorn", "-k", "server.workers.Worker", "-w", "{workers}"),
        *("-b", "127.0.0.1:{port}", "server.asgi:application"),
    ],
    "runserver": ["manage.py", "runserver", "127.0.0.1:{port}", "--noreload"],
}


@dataclass
class Server:
    """A Wardcast server process; `demo` is superuser, `nurse` may view, `visitor` nothing.

    Args:
        folder: where its database and log go.
        kind: one of COMMANDS: "daphne", "uvicorn", "gunicorn" or, as a demo, "runserver".
        environment: more variables for it, such as REDIS_URL.
        workers: processes of a gunicorn.
    """

    folder: Path
    kind: str = "daphne"
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    workers: int = 1
    process: subprocess.Popen | None = None
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    """The cookies of those who have logged in, by user name."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """GraphQL's address over HTTP."""
        return f"http://{self.host}/graphql/"

    @property
    def ws_url(self) -> str:
        """GraphQL's address over WebSocket."""
        return f"ws://{self.host}/graphql/"

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return (self.folder / "server.log").read_text()

    @property
    def env(self) -> dict[str, str]:
        """The environment in which the server, and commands beside it, run."""
        return {
            **os.environ,
            "DEBUG": "on",
            "SECRET_KEY": self._secret_key,
            "CHECK_AT_START": "on",
            "DATABASE_URL": f"sqlite:///{self.folder / DATABASE}",
            "LIVE": json.dumps(CROWD),
            **self.environment,
        }

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._secret_key = secrets.token_hex(32)

    def prepare(self) -> "Server":
        """Make the database and the staff."""
        own_file = self.folder / DATABASE
        if self.env["DATABASE_URL"] == f"sqlite:///{own_file}":
            _copy_database(Path(_prepared_folder().name) / DATABASE, own_file)
        else:
            self._prepare_anew()
        return self

    def _prepare_anew(self) -> None:
        self.manage("migrate", "-v0")
        self.shell(STAFF)

    def start(self) -> "Server":
        """Start the process and return when it takes connections."""
        values = {"port": self.port, "workers": self.workers}
        arguments = [part.format(**values) for part in COMMANDS[self.kind]]
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.env, stdout=log, stderr=log
            )
        self._wait_until_it_listens()
        return self

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the server did not start:\n{self.log}")

    def stop(self) -> None:
        """Stop the process and wait for its end."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def manage(self, *arguments: str, check: bool = True, **kwargs) -> subprocess.CompletedProcess:
        """Run a management command beside the server, in a process of its own."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            **{"cwd": ROOT, "env": self.env, "text": True, "capture_output": True, **kwargs},
            check=check,
        )

    def shell(self, code: str) -> str:
        """Run Python in a Django shell beside the server; return what it printed."""
        return self.manage("shell", "-v0", "-c", code).stdout


@functools.cache
def _prepared_folder() -> TemporaryDirectory:
    """Return a folder with a database that is migrated and has the staff; made once a run.

    It takes five seconds of a processor, and is deleted with the object.
    """
    folder = TemporaryDirectory(prefix="wardcast-prepared-")
    Server(Path(folder.name))._prepare_anew()
    return folder


def _copy_database(source: Path, copy: Path) -> None:
    shutil.copyfile(source, copy)
    # It is another log: no cursor of another copy's is one of this.
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute("UPDATE live_log SET epoch = ?", [secrets.randbits(62)])
