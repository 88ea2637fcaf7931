"""docs/architecture.md is true: its picture of the packages, and the files that it names."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text()
PACKAGES = {path.parent.name for path in ROOT.glob("live/*/__init__.py")} - {
    "management",
    "migrations",
}


def imports(path):
    """Yield the dotted names that a module imports from `live`, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "live":
            yield from (f"live.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("live."):
            yield node.module


def arrows():
    """Return (package, package that it imports) for all of the engine's packages."""
    return {
        (package, name.split(".")[1])
        for package in PACKAGES
        for path in (ROOT / "live" / package).rglob("*.py")
        for name in imports(path)
        if name.split(".")[1] in PACKAGES - {package}
    }


def test_the_picture_is_what_the_packages_import():
    assert set(re.findall(r"^  (\w+) --> (\w+)$", PAGE, re.M)) == arrows()


def test_every_package_is_described():
    assert set(re.findall(r"^\| `live/(\w+)/` \|", PAGE, re.M)) == PACKAGES


def test_every_file_that_is_named_is_there():
    named = set(re.findall(r"`((?:live|patients|tests|docs)/[\w/.-]+\.\w+)`", PAGE))
    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
