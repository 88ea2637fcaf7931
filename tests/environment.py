"""A pytest plugin, loaded before Django reads its settings (`-p tests.environment`).

Tests run as a demo does, whatever the shell says, and never against its data.
"""

import os

os.environ["DEBUG"] = "on"
for variable in ("DATABASE_URL", "REDIS_URL", "LIVE"):
    os.environ.pop(variable, None)
