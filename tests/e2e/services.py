"""Real PostgreSQL and Redis servers for tests, on free ports, gone with the test.

Each can be stopped, killed, paused and started again, on the same port and with the same data.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.e2e.ports import free_port

SECONDS = 60


class Service:
    """A server program on a port of its own."""

    # What makes it leave its clients and end, in order.
    stop_signal = signal.SIGTERM

    # Whose process it is; None: that of whoever starts it.
    user: str | None = None

    def __init__(
        self, command: Sequence[str | Path], port: int, folder: Path | None = None
    ) -> None:
        self.command, self.port, self.folder = list(command), port, folder
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it; return when it takes connections, raise RuntimeError if it never does."""
        self.process = self._run(self.command)
        self._wait_until_ready()

    def stop(self, how: signal.Signals | None = None) -> None:
        """Send it the signal `how` (None: the one for an orderly end), and wait for its end."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how or self.stop_signal)
            self.process.wait(SECONDS)

    def restart(self, how: signal.Signals | None = None) -> None:
        """Stop it as `stop` does, and start it again."""
        self.stop(how)
        self.start()

    def pause(self) -> None:
        """Leave its clients without any answer, connected, until `resume`."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self.process.send_signal(signal.SIGCONT)

    def _run(self, command: Sequence[str | Path]) -> subprocess.Popen:
        # Not by runuser, which would stay in between and keep the signals.
        user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with open(self.folder / "log" if self.folder else os.devnull, "ab") as log:
            output = {"stdout": log, "stderr": log}
            return subprocess.Popen(command, cwd=self.folder, **output, **user)

    def _wait_until_ready(self) -> None:
        wait_for(self.port, self.process)


class Redis(Service):
    """A Redis without a disk; `program` is redis-server's path."""

    def __init__(self, program: str) -> None:
        port = free_port()
        super().__init__([program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Make it forget everything: FLUSHALL."""
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            answer = connection.recv(64)
        assert answer == b"+OK\r\n", answer


class Postgres(Service):
    """A PostgreSQL with its data in `folder`, made by `create`.

    Its signals are pg_ctl's modes: SIGINT is fast, SIGQUIT is immediate (no checkpoint: it
    recovers from its log at the next start), SIGTERM waits for its clients to go.

    Args:
        binaries: the folder of PostgreSQL's programs.
        folder: an empty folder, or none yet, that PostgreSQL's user may enter.
        settings: more settings, as "name=value".
    """

    stop_signal = signal.SIGINT

    def __init__(self, binaries: Path, folder: Path, settings: Sequence[str] = ()) -> None:
        port = free_port()
        self._binaries = binaries
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]
        options += [part for setting in settings for part in ("-c", setting)]
        super().__init__([binaries / "postgres", "-D", folder / "data", *options], port, folder)

    @property
    def url(self) -> str:
        return f"postgres://{self.user or getpass.getuser()}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Make its data folder, below `folder`."""
        self.folder.mkdir(exist_ok=True)
        if self.user:
            shutil.chown(self.folder, self.user)
        command = [self._binaries / "initdb", "-D", self.folder / "data", "-A", "trust"]
        initdb = self._run([*command, "--no-sync"])
        if initdb.wait(SECONDS) != 0:
            raise RuntimeError(f"initdb failed in {self.folder}: may {self.user} enter it?")

    def _wait_until_ready(self) -> None:
        # It listens before it has recovered, and refuses until then.
        super()._wait_until_ready()
        ask = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + SECONDS
        while subprocess.run(ask).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not get ready")
            time.sleep(0.05)


@contextlib.contextmanager
def redis_server(program: str) -> Iterator[str]:
    """Start `program` (redis-server's path) without a disk; yield its URL."""
    service = Redis(program)
    with running(service):
        yield service.url


@contextlib.contextmanager
def postgres_server(binaries: Path, folder: Path, settings: Sequence[str] = ()) -> Iterator[str]:
    """Start PostgreSQL with its data in `folder`, and `settings`; yield a database's URL."""
    service = Postgres(binaries, folder, settings)
    service.create()
    with running(service):
        yield service.url


@contextlib.contextmanager
def running(service: Service) -> Iterator[Service]:
    """Start `service`, and stop it in the end, in whatever state it is."""
    try:
        service.start()
        yield service
    finally:
        if service.process:
            service.resume()
        service.stop()


def wait_for(port: int, process: subprocess.Popen) -> None:
    """Return when `process` listens on `port`; raise RuntimeError if it never does."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} did not start")


def postgres_binaries() -> Path | None:
    """Return the folder of Debian's newest PostgreSQL, None without one."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None
