"""The event log on a real PostgreSQL, where transactions run side by side as on SQLite none do."""

import os
import subprocess
import sys

import pytest

from tests.e2e.faults.installation import open_folder
from tests.e2e.programs import missing
from tests.e2e.servers import ROOT
from tests.e2e.services import postgres_binaries, postgres_server

# What is tested on SQLite otherwise, and what cannot be.
FILES = (
    "tests/live/log/test_store.py",
    "tests/live/log/test_append.py",
    "tests/live/fanout/resume/test_resume.py",
    "tests/e2e/log_on_postgres.py",
    "tests/e2e/numbering_on_postgres.py",
    "tests/e2e/numbering_machine_on_postgres.py",
    "tests/patients/test_search.py",
    "tests/patients/test_discharging.py",  # who discharges or undoes at once waits for rows
)
SECONDS = 1200


@pytest.fixture(scope="module")
def database_url():
    """A running PostgreSQL."""
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    with open_folder() as folder, postgres_server(binaries, folder) as url:
        yield url


def test_on_postgres(database_url):
    # Without this run's plugin, which keeps other databases away from tests.
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-o", "addopts="]
    environment = {**os.environ, "DEBUG": "on", "DATABASE_URL": database_url}
    command = [sys.executable, "-m", "pytest", *options, *FILES]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    run = subprocess.run(command, cwd=ROOT, env=environment, timeout=SECONDS, **output)
    assert run.returncode == 0, run.stdout[-10_000:]
    assert "skipped" not in run.stdout.splitlines()[-1]
