"""`example_client import` as people run it, against a real server without workers."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest

from tests.e2e.servers import ROOT, Server
from tests.e2e.test_example_client import COMMAND, SECONDS, environment, refusal, run
from tests.patients.importers.exports import encounter, patient, write_export

STAFF = """
from django.contrib.auth.models import Permission, User
user = User.objects.create_user("registrar", password="registrar", is_staff=True)
rights = ("add_patient", "change_patient")
user.user_permissions.set(Permission.objects.filter(codename__in=rights))
"""
# Long enough that it can be cut off in the middle.
MANY = 20_000


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def server(tmp_path_factory, root):
    """A real Daphne with an import root, and no Redis."""
    environment = {"IMPORT_ROOT": str(root), "IMPORT_SILENCE_SECONDS": "8"}
    running = Server(tmp_path_factory.mktemp("server"), environment=environment).prepare()
    running.shell(STAFF)
    yield running.start()
    running.stop()


def export(folder, *ids, **cells):
    return write_export(folder, [patient(id, **cells) for id in ids], [encounter(id) for id in ids])


def stored(server, *ids):
    """Return the categories of the patients with these external ids."""
    code = (
        "from patients.models import *; print(*Patient.objects.filter("
        f"external_id__in={ids!r}).order_by('id').values_list('category__code', flat=True))"
    )
    return server.shell(code).split()


def importing(server, *arguments, user="registrar"):
    return run(server, "import", *map(str, arguments), user=user)


def test_a_directory_of_the_servers(server, root):
    export(root / "one", "a1", "a2")
    done = importing(server, "one")
    summary = "2 created, 0 updated, 0 unchanged, 0 rejected\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, summary, "")
    assert len(stored(server, "a1", "a2")) == 2
    assert importing(server, "one").stdout == "0 created, 0 updated, 2 unchanged, 0 rejected\n"


def test_files_that_are_here(server, tmp_path):
    folder = export(tmp_path / "two", "b1", "b2", FIRST="Zoë 𝒜")
    done = importing(server, "--upload", folder)
    assert (done.returncode, done.stdout) == (0, "2 created, 0 updated, 0 unchanged, 0 rejected\n")
    assert len(stored(server, "b1", "b2")) == 2
    names = server.shell(
        "from patients.models import *; print(Patient.objects.get(external_id='b1').name)"
    )
    assert names == "Zoë 𝒜 B1\n"


def test_a_large_upload_goes_in_parts(server, tmp_path):
    # Far more than one message may hold.
    folder = write_export(
        tmp_path,
        [patient("c1")],
        [encounter("c1", DESCRIPTION="é" * 400) for _ in range(2000)],
    )
    assert (folder / "encounters.csv").stat().st_size > 1_000_000
    assert importing(server, "--upload", folder).stdout.startswith("1 created")


def test_a_table_of_chapters_here_and_there(server, root, tmp_path):
    for folder, id, arguments in (
        (root / "three", "d1", ["three", "--chapters", "three/table.csv"]),
        (tmp_path, "d2", ["--upload", tmp_path, "--chapters", tmp_path / "table.csv"]),
    ):
        write_export(folder, [patient(id)], [encounter(id, REASONCODE="7")])
        (folder / "table.csv").write_text("snomed_code,icd10_chapter\n7,IV\n")
        assert importing(server, *arguments).returncode == 0
    assert stored(server, "d1", "d2") == ["IV", "IV"]


def test_json_is_one_object(server, root):
    export(root / "four", "e1")
    done = run(server, "--json", "import", "four", user="registrar")
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert json.loads(line).items() >= {"state": "FINISHED", "done": 1, "created": 1}.items()


def test_rejected_rows_are_listed(server, root):
    export(root / "five", "f1", BIRTHDATE="yesterday")
    reason = "patients.csv, line 2: BIRTHDATE is not a date (YYYY-MM-DD)"
    done = importing(server, "five")
    assert (done.returncode, done.stdout) == (1, "0 created, 0 updated, 0 unchanged, 1 rejected\n")
    nothing = "error: the import failed: Rows that cannot be imported: 1. Nothing was written."
    assert done.stderr.splitlines() == [reason, nothing]
    skipping = importing(server, "five", "--skip-bad")
    assert (skipping.returncode, skipping.stderr) == (0, f"{reason}\n")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["/etc"], 1, "There is no such directory below the import root. (BAD_INPUT)"),
        (["absent"], 1, "There is no such directory below the import root. (BAD_INPUT)"),
        (["empty"], 1, "There is no file 'patients.csv' in this directory. (BAD_INPUT)"),
        (["--upload", "{here}"], 2, "{here}/patients.csv: No such file or directory"),
        (["--upload", "{here}/latin"], 2, "{here}/latin/patients.csv is not UTF-8"),
    ],
)
def test_what_cannot_be_imported_is_one_line(server, root, tmp_path, arguments, code, line):
    (root / "empty").mkdir(exist_ok=True)
    export(tmp_path / "latin", "g1", FIRST="Zoë")
    text = (tmp_path / "latin" / "patients.csv").read_text()
    (tmp_path / "latin" / "patients.csv").write_text(text, encoding="latin-1")
    done = importing(server, *(part.format(here=tmp_path) for part in arguments))
    assert refusal(done) == (code, [f"error: {line.format(here=tmp_path)}"])


@pytest.mark.parametrize("user", ["nurse", "visitor"])
@pytest.mark.parametrize("upload", [False, True])
def test_others_are_forbidden(server, root, tmp_path, user, upload):
    export(root / "six", "h1")
    arguments = ["--upload", root / "six"] if upload else ["six"]
    message = "error: You do not have permission to do this. (FORBIDDEN)"
    assert refusal(importing(server, *arguments, user=user)) == (4, [message])
    assert stored(server, "h1") == []


def test_a_terminal_is_shown_a_bar(server, root):
    export(root / "seven", *(f"i{number}" for number in range(700)))
    shown = in_terminal(server, "import", "seven")
    assert "700/700" in shown
    assert "Finished" in shown
    assert "━" in shown


def in_terminal(server, *arguments):
    """Run a command whose standard error is a terminal; return what that shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        **{"cwd": ROOT, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL},
        env=environment(server, "registrar", TERM="xterm", COLUMNS="120", LANG="C.UTF-8"),
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
    assert process.wait(SECONDS) == 0
    return shown.decode()


# ---- what is cut off


def begin(server, directory):
    """Start the client's import of a large directory; return when patients are being written."""
    process = subprocess.Popen(
        [*COMMAND, "import", directory],
        **{"cwd": ROOT, "env": environment(server, "registrar"), "text": True},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(server, directory, lambda done, finished_at: done)
    return process


def wait_for(server, directory, is_so):
    """Return when what the database has of the newest import of `directory` is so."""
    newest = """SELECT done, finished_at FROM patients_importrun
                WHERE directory = ? ORDER BY id DESC LIMIT 1"""
    deadline = time.monotonic() + SECONDS
    with closing(sqlite3.connect(server.folder / "db.sqlite3")) as database:
        while time.monotonic() < deadline:
            row = database.execute(newest, [directory]).fetchone()
            if row and is_so(*row):
                return
            time.sleep(0.02)  # between two looks
    pytest.fail(f"it did not come to that, but to {row}")


def test_ctrl_c_ends_the_client_and_not_the_import(server, root):
    export(root / "eight", *(f"j{number}" for number in range(MANY)))
    client = begin(server, "eight")
    client.send_signal(signal.SIGINT)
    out, err = client.communicate(timeout=SECONDS)
    assert (client.returncode, out) == (130, "")
    assert err.startswith("the import goes on at the server, as ")
    wait_for(server, "eight", lambda done, finished_at: finished_at and done == MANY)


def test_an_import_that_ends_with_its_server_is_said_to_have_failed(server, root):
    export(root / "nine", *(f"k{number}" for number in range(MANY)))
    client = begin(server, "nine")
    server.process.kill()
    server.process.wait()
    server.start()
    out, err = client.communicate(timeout=2 * SECONDS)
    assert client.returncode == 1
    first, *_, last = err.splitlines()
    assert "trying again in" in first
    assert last.startswith("error: the import failed: The server stopped in the middle.")
    assert 0 < int(out.split()[0]) < MANY
    again = importing(server, "nine")
    assert again.returncode == 0
    created, _, unchanged, _ = (int(part.split()[0]) for part in again.stdout.split(","))
    assert created + unchanged == MANY
    # A batch that was committed may not have been counted any more.
    assert unchanged >= int(out.split()[0])
