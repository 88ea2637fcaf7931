"""The import rules: arrows run one way, and one place each knows the library's classes."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"server", "patients", "careteam", "live", "example_client"}
# Each package, and those of ours that it may import beside itself.
MAY_IMPORT = {
    "live": set(),
    "patients": {"live"},
    "careteam": {"live"},
    "server": {"live", "patients", "careteam"},
    "example_client": set(),
}
# The modules that may subclass each of the library's classes.
MAY_SUBCLASS = {
    "GraphqlWsConsumer": "live/socket/consumer.py",
    "Subscription": "live/subscription.py",
    "GraphqlWsClient": "example_client/session.py",
    "GraphqlWsTransportAiohttp": "example_client/transport.py",
}


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    """Return the dotted names that a module imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.append(node.module)
    return names


def tops(path):
    return {name.partition(".")[0] for name in imported(path)}


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_only_what_it_may(package):
    allowed = MAY_IMPORT[package] | {package}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in tops(path) & OURS - allowed
    }
    assert wrong == set()


def test_the_packages_are_there():
    for package in MAY_IMPORT:
        assert len(modules(package)) > 3


@pytest.mark.parametrize("package", sorted(OURS))
def test_no_package_imports_the_tests(package):
    for path in modules(package):
        assert not tops(path) & {"tests", "pytest", "benchmarks"}, path


def test_the_client_needs_no_django():
    for path in modules("example_client"):
        assert not tops(path) & {"django", "channels", "graphene", "graphene_django"}, path


def library_bases(path):
    """Return the names of the library's classes that a module subclasses."""
    tree = ast.parse(path.read_text())
    from_library = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("channels_graphql_ws")
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for base in node.bases:
            name = ast.unparse(base)
            if name.startswith("channels_graphql_ws.") or name in from_library:
                yield name.rpartition(".")[2]


def test_only_these_modules_subclass_the_librarys_classes():
    found = {
        (name, str(path.relative_to(ROOT)))
        for package in OURS
        for path in modules(package)
        for name in library_bases(path)
    }
    assert found == set(MAY_SUBCLASS.items())


def test_pure_modules_do_no_input_or_output():
    pure = {
        "socket/protocol.py",
        "socket/messages.py",
        "execution/document_limits.py",
        "log/cursor.py",
        "log/records.py",
    }
    forbidden = {"asyncio", "channels", "django", "socket", "threading", "channels_graphql_ws"}
    for name in pure:
        path = ROOT / "live" / name
        assert not tops(path) & forbidden, path
