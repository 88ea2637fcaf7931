"""Every test that docs/security.md names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/\S+?\.py)::(\w+)`", DOCUMENT)))

# What has to have an answer there.
THREATS = [
    *("Cross-site WebSocket hijacking", "Legacy-protocol bypass", "Operation-name bypass"),
    *("Query bombs", "Subscription floods", "Slow-loris", "Stolen token", "Revoked user"),
    *("Foreign category by node id", "Restricted patient by search or count"),
    *("Errors that quote a patient", "Logs that quote a patient", "Password guessing"),
    *("CSRF", "XSS", "DNS re-binding", "Who has SECRET_KEY and reads Redis"),
]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_a_test_that_is_named_exists(path, name):
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in tree.body if isinstance(node, functions)}


@pytest.mark.parametrize("threat", THREATS)
def test_a_threat_is_answered(threat):
    assert f"**{threat}" in DOCUMENT


def test_every_row_names_a_test():
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| **")]
    assert len(rows) > 20
    assert all(re.search(r"`tests/\S+::\w+`", row) for row in rows)
