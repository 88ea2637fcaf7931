"""A pytest plugin, loaded before Django reads its settings (`-p tests.environment`).

Tests run as a demo does, whatever the shell says, and never against its data.
"""

import os
from tempfile import TemporaryDirectory

import pytest

os.environ["DEBUG"] = "on"
# The application is imported before there is a database for tests.
os.environ["CHECK_AT_START"] = "off"
for variable in ("DATABASE_URL", "REDIS_URL", "LIVE"):
    os.environ.pop(variable, None)

# Two runs at once would delete each other's database. It is deleted with this object.
_folder = TemporaryDirectory(prefix="wardcast-test-")
os.environ.setdefault("TEST_SQLITE", f"{_folder.name}/test.sqlite3")


@pytest.hookimpl(optionalhook=True)  # a plugin's, which may be switched off
def pytest_xdist_auto_num_workers(config):
    """Have a worker more than there are cores: end-to-end tests wait a third of their time."""
    return len(os.sched_getaffinity(0)) + 1
