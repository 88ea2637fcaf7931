"""What the server's process is told before it serves anybody."""

import subprocess
import sys

from tests.e2e.servers import ROOT

LOOK = """
import gc, sys
import server.asgi
print(gc.get_freeze_count() > 50_000, len(gc.get_objects()) < 1000, sys.getswitchinterval() < 0.001)
"""


def test_garbage_is_looked_for_in_what_came_later_only_and_threads_take_short_turns():
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]
