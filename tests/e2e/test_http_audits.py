"""graphql-http's audits of servers, against a real Daphne."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program

NPM = Path(__file__).parent / "npm"
AUDIT_SECONDS = 120


@pytest.fixture(scope="module")
def audits(server):
    """The result of every audit."""
    node = require_program("node", "nodejs")
    if not (NPM / "node_modules" / "graphql-http").is_dir():
        missing = "the npm package graphql-http is missing: make test-assets"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    process = subprocess.run(
        [node, "audits.mjs", server.url],
        cwd=NPM,
        capture_output=True,
        text=True,
        timeout=AUDIT_SECONDS,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("level", ["MUST", "SHOULD", "MAY"])
def test_every_audit_passes(audits, level):
    of_level = [audit for audit in audits if audit["name"].split()[0] == level]
    assert len(of_level) >= 10  # the audits' names are of the form that this test knows
    failed = [f"{a['id']} {a['name']}: {a['reason']}" for a in of_level if a["status"] != "ok"]
    assert failed == []
