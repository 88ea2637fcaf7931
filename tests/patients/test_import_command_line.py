"""`manage.py import_patients` as a process: exit codes, no tracebacks, the progress bar."""

import os
import pty
import subprocess
import sys

import pytest

from tests.e2e.servers import ROOT, Server
from tests.patients.importers.exports import encounter, patient, write_export


@pytest.fixture
def folder(tmp_path):
    """An export of one patient."""
    return write_export(tmp_path, [patient("ann")], [encounter("ann")])


def test_it_fails_without_a_traceback_and_with_an_exit_code(tmp_path):
    server = Server(tmp_path)
    server.manage("migrate", "-v0")
    done = server.manage("import_patients", str(tmp_path / "none"), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: ")
    assert "Traceback" not in done.stderr


def test_an_unmigrated_database_is_said_to_be_one(folder, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("empty"))
    done = server.manage("import_patients", str(folder), check=False)
    assert done.returncode == 1
    assert "migrated" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_progress_bar_is_shown_on_a_terminal_only(folder, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("terminal"))
    server.manage("migrate", "-v0")
    assert server.manage("import_patients", str(folder)).stderr == ""
    assert "Writing" in in_terminal(server, "import_patients", str(folder))


def in_terminal(server: Server, *arguments: str) -> str:
    """Run a command whose standard error is a terminal; return what that shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        **{"cwd": ROOT, "env": {**server.env, "TERM": "xterm"}, "stdout": subprocess.DEVNULL},
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # how a terminal says that its last user is gone
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()
