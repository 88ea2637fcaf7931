"""The command line client as people run it: commands that end, and a `watch` that does not."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from tests.e2e.servers import ROOT

SECONDS = 30
COMMAND = [sys.executable, "-m", "example_client"]


def environment(server, user, **more):
    """Return the environment of a client that logs in as `user`; anonymous for None."""
    # PYTHONUNBUFFERED would hide a line that is not flushed.
    ours = ("WARDCAST_", "PYTHONUNBUFFERED")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    log_in = {"WARDCAST_USER": user, "WARDCAST_PASSWORD": user} if user else {}
    return {**inherited, "WARDCAST_URL": server.url, **log_in, **more}


def run(server, *arguments, user="demo", **more):
    """Run a command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(server, user, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Watching:
    """A running `watch`, whose lines are waited for."""

    def __init__(self, server, *arguments, user="nurse", stdout=subprocess.PIPE):
        self.process = subprocess.Popen(
            [*COMMAND, "watch", *arguments],
            cwd=ROOT,
            env=environment(server, user),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in a shell's background, Ctrl-C would be ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.stdout = self._lines(self.process.stdout or ())
        self.stderr = self._lines(self.process.stderr)
        self.said = []
        """The status lines that have been waited for, or came before those."""

    @staticmethod
    def _lines(stream):
        lines = queue.Queue()

        def read():
            for line in stream:
                lines.put(line.rstrip("\n"))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        return lines

    def status(self, text):
        """Wait for a status line with `text`, and return it."""
        while True:
            try:
                line = self.stderr.get(timeout=SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                pytest.fail(f"no line with {text!r} on stderr, but {self.said}")
            self.said.append(line)
            if text in line:
                return line

    def event(self):
        """Wait for the next line on stdout."""
        line = self.stdout.get(timeout=SECONDS)
        assert line is not None, f"it ended: {list(self.stderr.queue)}"
        return line

    def until(self, name):
        """Return the JSON events up to the one about the patient called `name`."""
        events = []
        while not events or events[-1]["patient"]["name"] != name:
            events.append(json.loads(self.event()))
        return events

    def end(self, how=signal.SIGINT):
        """Send it a signal, Ctrl-C's; return the exit code and what was still printed."""
        self.process.send_signal(how)
        code = self.process.wait(SECONDS)
        return code, [*iter(self.stdout.get, None)], [*iter(self.stderr.get, None)]


@contextmanager
def watches(server):
    """Give a function that starts a `watch` and waits until it says `until`; end them all."""
    started = []

    def start(*arguments, until="watching", **kwargs):
        watching = Watching(server, *arguments, **kwargs)
        started.append(watching)
        watching.status(until)
        return watching

    try:
        yield start
    finally:
        for watching in started:
            watching.process.kill()
            watching.process.wait()
