"""docs/write-a-subscription.md, followed to the letter in a copy of the project."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import servers
from tests.e2e.clients import TIMEOUT, Browser, Client
from tests.e2e.page import Block, blocks, write
from tests.e2e.programs import program
from tests.e2e.servers import ROOT, Server

PAGE = blocks((ROOT / "docs" / "write-a-subscription.md").read_text())
COPIED = ("server", "live", "patients", "careteam", "templates", "manage.py", "setup.cfg")
COPIED_TESTS = ("__init__.py", "conftest.py", "database.py", "environment.py")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules", "dist")
# What the page does while it is followed; the rest is looked at when it has been.
BUILDING = ("file", "continued", "method", "changed", "run")


def the(what: str) -> Block:
    """Return the page's only block that is for this."""
    [block] = [block for block in PAGE if block.what == what]
    return block


def is_test_run(block: Block) -> bool:
    return block.what == "run" and "pytest" in block.code


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server of a copy of the project, in which the page was followed."""
    folder = tmp_path_factory.mktemp("site")
    copy_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers, "ROOT", folder)
        server = Server(folder / "var")
        for block in PAGE:
            if block.what in BUILDING and not is_test_run(block):
                carry_out(server, block)
        server.shell(servers.STAFF)
        yield server.start()
        server.stop()


def copy_project(folder: Path) -> None:
    """Copy what the page builds on."""
    for name in COPIED:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, folder / name, **({"ignore": NOT_COPIED} if path.is_dir() else {}))
    (folder / "tests").mkdir()
    for name in COPIED_TESTS:
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)


def carry_out(server: Server, block: Block) -> None:
    """Do what a block says."""
    if block.what != "run":
        write(servers.ROOT, block)
        return
    done = shell(server, block.code)
    assert done.returncode == 0, done.stdout + done.stderr


def shell(server: Server, commands: str) -> subprocess.CompletedProcess:
    """Run commands in the copy, with this Python and a test database of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**server.env, "PATH": path}
    environment.pop("TEST_SQLITE", None)
    return subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=servers.ROOT,
        env=environment,
        text=True,
        capture_output=True,
        timeout=300,
    )


# ---- what is told


async def test_what_is_written_in_a_shell_is_told(site):
    async with Client(site, "nurse") as client:
        events = await client.subscribe(the("graphql").code)
        await asyncio.to_thread(site.shell, the("shell").code)
        told = {"sender": "Bo", "text": "Tea is ready"}
        assert await events.next() == {"onMessage": told}


async def test_its_client_misses_nothing_while_the_server_is_away(site):
    token = site.manage("issue_token", "nurse", "--expires", "8h").stdout.split()[-1]
    watch = servers.ROOT / "watch.py"
    await until_watched(site, 0)
    async with program(sys.executable, watch, site.ws_url, token, "kitchen") as client:
        await until_watched(site, 1)
        write_in_the_kitchen(site, "one")
        assert await client.line() == "Bo says: one"
        site.stop()
        write_in_the_kitchen(site, "two")
        site.start()
        write_in_the_kitchen(site, "three")
        assert [await client.line() for _ in range(2)] == ["Bo says: two", "Bo says: three"]


def write_in_the_kitchen(site, text):
    """Write as the page does, but for the text."""
    site.shell(the("shell").code.replace("Tea is ready", text))


async def until_watched(site, count):
    """Return when the server has so many subscriptions."""
    metrics = f"http://{site.host}/metrics"
    async with asyncio.timeout(TIMEOUT), Browser(site, "demo") as browser:
        while True:
            async with browser.http.get(metrics) as answer:
                if f"wardcast_subscriptions {count}.0" in await answer.text():
                    return
            await asyncio.sleep(0.05)


# ---- the page's own tests


@pytest.fixture
def run_its_tests(site):
    """A function that runs the page's tests, as the page does."""
    [block] = [block for block in PAGE if is_test_run(block)]
    return lambda: shell(site, block.code)


def test_its_tests_pass(run_its_tests):
    done = run_its_tests()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_they_fail_as_the_page_says(run_its_tests):
    path = servers.ROOT / "chat" / "schema.py"
    text = path.read_text()
    assert "return [room]" in text
    try:
        path.write_text(text.replace("return [room]", 'return ["kitchen", "attic"]'))
        done = run_its_tests()
    finally:
        path.write_text(text)
    assert (
        "FAILED tests/chat/test_on_message.py::test_this_room_is_told_and_no_other" in done.stdout
    )
    assert "1 failed, 1 passed" in done.stdout
