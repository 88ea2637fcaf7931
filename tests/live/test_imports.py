"""The import rules: arrows run one way, and one place each knows the library's classes."""

import ast
from pathlib import Path

import pytest

from tests.imports import import_graph

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
# The engine's floors, from the bottom: each imports what is below it. The files and packages of
# the first and of the last floor may import each other, those between may not.
FLOORS = [
    {"conf", "context", "errors", "metrics", "models", "saving"},
    {"concurrency"},
    {"log"},
    {"identity"},
    {"execution"},
    {"fanout"},
    {"socket", "http"},
    {"admin", "apps", "auth", "checks", "history", "management", "settings_check", "subscription"},
]
# Imports that run upwards all the same. One that is gone has to go from here too.
UPWARDS = {("live.errors", "live.concurrency.outage")}
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


def room(name):
    """Return the package or root file of `live` that a dotted name is in."""
    return name.split(".")[1]


def floor(name):
    (number,) = (number for number, rooms in enumerate(FLOORS) if room(name) in rooms)
    return number


def may_import(importer, name):
    """Return whether the engine's floors let one file of it import another."""
    if room(importer) == room(name):
        return True
    same_is_allowed = floor(importer) in (0, len(FLOORS) - 1)
    return floor(name) < floor(importer) + same_is_allowed


def test_the_engines_files_import_only_what_is_below_them():
    arrows = {(file, name) for file, names in import_graph("live").items() for name in names}
    wrong = {
        (importer, name)
        for importer, name in arrows
        if "live.migrations" not in importer and not may_import(importer, name)
    }
    assert wrong == UPWARDS


def test_every_room_of_the_engine_has_a_floor():
    rooms = {room(name) for name in import_graph("live") if name != "live"} - {"migrations"}
    assert sorted(rooms) == sorted(name for names in FLOORS for name in names)


@pytest.mark.parametrize(
    ("importer", "name", "allowed"),
    [
        ("live.log.append", "live.concurrency.outage", True),
        ("live.log.append", "live.log.store", True),
        ("live.errors", "live.metrics", True),
        ("live.admin", "live.subscription", True),
        ("live.socket.session", "live.conf", True),
        ("live.concurrency.outage", "live.log.append", False),
        ("live.socket.session", "live.http.views", False),
        ("live.fanout.hub", "live.socket.session", False),
        ("live.fanout.hub", "live.subscription", False),
    ],
)
def test_what_a_file_of_the_engine_may_import(importer, name, allowed):
    assert may_import(importer, name) is allowed


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
        "log/records.py",
    }
    forbidden = {"asyncio", "channels", "django", "socket", "threading", "channels_graphql_ws"}
    for name in pure:
        path = ROOT / "live" / name
        assert not tops(path) & forbidden, path
