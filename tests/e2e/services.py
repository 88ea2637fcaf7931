"""Real PostgreSQL and Redis servers for tests, on free ports, gone with the test."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.servers import free_port

SECONDS = 30


@contextlib.contextmanager
def redis_server(program: str) -> Iterator[str]:
    """Start `program` (redis-server's path) without a disk; yield its URL."""
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(SECONDS)


@contextlib.contextmanager
def postgres_server(binaries: Path, folder: Path) -> Iterator[str]:
    """Start PostgreSQL with its data in `folder`; yield a database's URL."""
    port = free_port()
    data = folder / "data"
    own = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if own:
        shutil.chown(folder, "postgres")
    user = "postgres" if own else getpass.getuser()
    initdb = [*own, binaries / "initdb", "-D", data, "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]
    command = [*own, binaries / "postgres", "-D", data, *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        wait_for(port, process)
        yield f"postgres://{user}@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(SECONDS)


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
