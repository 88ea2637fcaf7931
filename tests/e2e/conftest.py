"""A real server for each module of end-to-end tests."""

import pytest

from tests.e2e.servers import Server


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
