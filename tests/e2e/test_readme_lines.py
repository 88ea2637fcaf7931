"""The README's lines for a shell, as they stand, beside a server that is as `make run` has it."""

import re
import shlex
import subprocess
import sys

import pytest

from tests.e2e.servers import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README, re.M | re.S)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]


def line_with(words):
    """Return the README's only line for a shell that has `words`."""
    (line,) = [line for line in LINES if words in line]
    return line


def run(server, line):
    """Run one of the README's lines with this interpreter, and against this server."""
    words = shlex.split(line.replace(".venv/bin/python", sys.executable))
    environment = {**server.env, "WARDCAST_URL": server.url, "WARDCAST_PASSWORD": "demo"}
    done = subprocess.run(
        ["env", *words], cwd=ROOT, env=environment, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("words", ["manage.py import_patients", "example_client import"])
def test_the_sample_is_imported(server, words):
    server.shell("from patients.models import Patient; Patient.objects.all().delete()")
    assert run(server, line_with(words)).startswith("24 created, 0 updated, 0 unchanged")


def test_a_patient_is_registered(server):
    assert run(server, line_with("example_client create")).strip()


def test_the_javascript_programs_are_there():
    line = line_with("npm install")
    folder = ROOT / re.search(r"cd (\S+)", line)[1]
    assert (folder / "package.json").exists()
    assert (folder / re.search(r"node (\S+)", line)[1]).exists()
