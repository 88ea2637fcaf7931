"""A process beside a measured server that registers patients (see tests.e2e.faults.clerk)."""

import json
import subprocess
import sys
import threading
from typing import Any

from benchmarks.servers import ROOT, Server

# Patients in a transaction, as an import has them: what is measured is not the writing.
BATCH = 50


class Writer:
    """The process; a context manager. Its events have the numbers 0, 1, 2, …"""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.count = 0
        """Events ordered so far."""
        self.committed: dict[int, float] = {}
        """Event → when it was committed, by the monotonic clock."""

    def __enter__(self) -> "Writer":
        environment = dict(self._server.house.environment)
        environment["DATABASE_URL"] = f"sqlite:///{self._server.folder}/db.sqlite3"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.faults.clerk"],
            **{"cwd": ROOT, "env": environment, "text": True},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.kill()
        self._process.wait()

    def write(self, events: int, rate: float = 0) -> threading.Thread:
        """Begin to write; return a thread that ends when all is committed.

        Args:
            events: how many.
            rate: transactions of one event a second; 0 writes batches, as fast as they go.
        """
        order = {"first": self.count, "count": events, "rate": rate, "batch": 1 if rate else BATCH}
        self.count += events
        self._process.stdin.write(json.dumps({"do": "write", **order}) + "\n")
        self._process.stdin.flush()
        listening = threading.Thread(target=self._listen)
        listening.start()
        return listening

    def _listen(self) -> None:
        while "committed" in (answer := json.loads(self._process.stdout.readline() or "{}")):
            first, last = answer["committed"]
            self.committed.update(dict.fromkeys(range(first, last + 1), answer["at"]))
