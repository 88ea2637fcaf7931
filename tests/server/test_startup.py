"""What cannot do its work does not start, says why in words, and ends with an error."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import Tags, run_checks

from server import static_files
from server.listening import why_not
from tests.conftest import require_program

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SERVERS = {
    "check": [sys.executable, "manage.py", "check"],
    "daphne": [sys.executable, "-m", "daphne", "-p", "0", "server.asgi:application"],
    "uvicorn": [sys.executable, "-m", "uvicorn", "--port", "0", "server.asgi:application"],
    "gunicorn": [
        sys.executable, "-m", "gunicorn", "-k", "server.workers.Worker",
        "-b", "127.0.0.1:0", "server.asgi:application",
    ],
    "celery": [sys.executable, "-m", "celery", "-A", "server", "worker", "--pool", "solo"],
}  # fmt: skip


def run(command, **environment):
    """Run a command to its end, which must be an error; return what it says."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DEBUG", "SECRET_KEY", "CHECK_AT_START", "DJANGO_SETTINGS_MODULE")
    }
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode != 0, done
    return done.stdout + done.stderr


@pytest.mark.parametrize("server", SERVERS)
def test_a_forgotten_secret_key_is_named(server):
    assert "SECRET_KEY is not set" in run(SERVERS[server])
    assert "SECRET_KEY is not set" in run(SERVERS[server], SECRET_KEY=" ")


@pytest.mark.parametrize("server", SERVERS)
def test_a_misspelt_setting_is_named(server, tmp_path):
    text = run(
        SERVERS[server],
        SECRET_KEY="s" * 50,
        LIVE='{"POLL_EVRY": 5}',
        DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3",
    )
    assert "LIVE has no setting 'POLL_EVRY'. Did you mean 'POLL_EVERY'?" in text


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LIVE", "{bad", "LIVE is not JSON"),
        ("LIVE", "[1]", "LIVE must be a JSON object"),
        ("CARETEAM", "5", "CARETEAM must be a JSON object"),
        ("CARETEAM", '{"ROOM_ACCESS": "no.such"}', "'no.such' cannot be imported"),
        ("CARETEAM", '{"ROOM_ACCESS": 7}', "CARETEAM['ROOM_ACCESS'] must be the dotted path"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL is no address of a database"),
        ("DATABASE_URL", "postgres://ward:Zebe/dee@host/ward", "DATABASE_URL is no address"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(name, value, told):
    text = run(SERVERS["check"], SECRET_KEY="s" * 50, **{name: value})
    assert told in text
    assert "Zebe" not in text


CHECK = [sys.executable, "manage.py", "check", "--database", "default"]


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_a_database_without_migrations_is_named_with_what_to_run(server, tmp_path):
    command = CHECK if server == "check" else SERVERS[server]
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    text = run(command, SECRET_KEY="s" * 50, DATABASE_URL=url)
    assert "migrate" in text
    assert "lacks" in text


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_a_database_that_is_away_is_named_without_its_password(server):
    command = CHECK if server == "check" else SERVERS[server]
    url = "postgres://ward:Zebedee@127.0.0.1:1/ward"
    text = run(command, SECRET_KEY="s" * 50, DATABASE_URL=url)
    assert "The database 'default' cannot be reached (OperationalError)." in text
    assert "Zebedee" not in text


def test_migrate_may_mend_what_the_check_finds(tmp_path):
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    environment = {
        **os.environ,
        "SECRET_KEY": "s" * 50,
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
    }
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120)
    subprocess.run(CHECK, cwd=ROOT, env=environment, check=True, timeout=60)


@pytest.mark.django_db
def test_a_database_that_is_as_needed_passes():
    assert run_checks(tags=[Tags.database], databases=["default"]) == []


@pytest.mark.parametrize("server", ["daphne", "gunicorn"])
def test_files_that_nobody_collected_are_named_with_what_to_run(server, tmp_path):
    text = start_without_files(SERVERS[server], tmp_path)
    assert re.search(rf"{tmp_path} lacks \d\d\d of the static files", text)
    assert "Run `python manage.py collectstatic --noinput`." in text


def test_a_file_that_is_new_since_they_were_collected_is_named(tmp_path):
    names = {name: name for name in static_files.names() - {"server/page.css"}}
    manifest = {"version": "1.1", "paths": names, "hash": ""}
    (tmp_path / "staticfiles.json").write_text(json.dumps(manifest))
    text = start_without_files(SERVERS["daphne"], tmp_path)
    assert f"{tmp_path} lacks 1 of the static files, server/page.css among them" in text


def start_without_files(command, folder):
    database = f"sqlite:///{folder}/db.sqlite3"
    return run(command, SECRET_KEY="s" * 50, DATABASE_URL=database, STATIC_ROOT=str(folder))


# ---- the port


def test_a_port_that_is_taken_is_said_before_anything_else():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = run([sys.executable, "-m", "server.listening", "127.0.0.1", str(port)])
    assert text == (
        f"Nothing can listen on 127.0.0.1:{port} (Address already in use). "
        "Choose another: make run PORT=…\n"
    )


def test_a_port_that_is_free_passes():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert why_not("127.0.0.1", port) is None
    assert why_not("nobody.invalid", port)


@pytest.mark.parametrize("port", ["", "http", "0", "-1"])
def test_a_port_that_is_none_is_named(port):
    text = run([sys.executable, "-m", "server.listening", "127.0.0.1", port])
    assert text.startswith(f"PORT must be a number from 1 to 65535, not {port!r}")


def make_run(*options):
    """Return the command that is `make run` where all is installed and built."""
    made = ["-o", ".venv/runtime", "-o", "assets"]
    return ["make", *made, "run", f"BIN={BIN}", "HOST=127.0.0.1", *options]


def test_make_run_says_that_a_port_is_taken_before_anything_else(tmp_path):
    require_program("make", "make")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = run(make_run(f"PORT={port}"), DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3")
    assert f"Nothing can listen on 127.0.0.1:{port} (Address already in use)" in text
    assert not list(tmp_path.iterdir())


def test_make_run_hands_its_port_to_what_prints_the_clients_address():
    require_program("make", "make")
    done = subprocess.run(make_run("PORT=8123", "-n"), cwd=ROOT, capture_output=True, text=True)
    assert "manage.py demo --host 127.0.0.1 --port 8123" in done.stdout
    assert "manage.py runserver 127.0.0.1:8123" in done.stdout
