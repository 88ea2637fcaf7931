"""Server processes that share a real PostgreSQL and a real Redis."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.conftest import require_program
from tests.e2e.faults.installation import open_folder
from tests.e2e.programs import missing
from tests.e2e.servers import CROWD, Server
from tests.e2e.services import postgres_binaries, postgres_server, redis_server

WATCH = "subscription { onNewPatient { patient { name } } }"
CREATE = """mutation ($name: String!) {
  createPatient(input: {name: $name, category: "I"}) { errors { messages } }
}"""
REGISTER = """
from patients.models import DiseaseCategory, Patient
for name in {names!r}:
    Patient.objects.create(name=name, category=DiseaseCategory.objects.get(code="I"))
"""


@contextmanager
def servers_together(*kinds: str, workers: int = 1, **settings: object) -> Iterator[list[Server]]:
    """Start a server of each kind; `settings` are the engine's (LIVE), `workers` gunicorn's."""
    redis = require_program("redis-server", "redis-server")
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        environment = {
            "REDIS_URL": stack.enter_context(redis_server(redis)),
            "DATABASE_URL": stack.enter_context(postgres_server(binaries, folder / "postgres")),
            "LIVE": json.dumps({**CROWD, **settings}),
        }
        servers = [
            Server(folder / f"{number}-{kind}", kind, environment, workers=workers)
            for number, kind in enumerate(kinds)
        ]
        servers[0].prepare()
        for server in servers:
            server._secret_key = servers[0]._secret_key
            stack.callback(server.stop)
            server.start()
        yield servers


def register(server: Server, *names: str) -> None:
    """Create patients in a shell beside the server."""
    server.shell(REGISTER.format(names=names))


async def names_until(stream, last: str) -> list[str]:
    """Return the names of the patients that a subscription WATCH tells of, up to `last`."""
    names = []
    while not names or names[-1] != last:
        names.append((await stream.next())["onNewPatient"]["patient"]["name"])
    return names
