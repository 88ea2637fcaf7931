"""A real server for each module of end-to-end tests."""

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import require_program
from tests.e2e.servers import Server

CHROMIUM_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    # Chromium's own errands, which are no request of the page's.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def pytest_collection_modifyitems(items):
    """Mark everything in this folder, so that `-m "not e2e"` leaves it out."""
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real Daphne on a socket, with staff and no patients."""
    running = Server(tmp_path_factory.mktemp("server")).prepare().start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium():
    """A real Chromium, headless."""
    path = require_program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
