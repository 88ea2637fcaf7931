"""Two server processes on real PostgreSQL and Redis are one: events and rights reach both."""

from contextlib import ExitStack

import pytest

from tests.conftest import require_program
from tests.e2e.clients import Client, Closed
from tests.e2e.faults.installation import open_folder
from tests.e2e.programs import missing
from tests.e2e.servers import Server
from tests.e2e.services import postgres_binaries, postgres_server, redis_server

WATCH = "subscription { onNewPatient { patient { name } } }"
CREATE = """mutation ($name: String!) {
  createPatient(input: {name: $name, category: "I"}) { errors { messages } }
}"""


@pytest.fixture(scope="module")
def pair():
    """A Daphne and a gunicorn worker that share a database and a Redis."""
    redis = require_program("redis-server", "redis-server")
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        database = postgres_server(binaries, folder / "postgres")
        environment = {
            "REDIS_URL": stack.enter_context(redis_server(redis)),
            "DATABASE_URL": stack.enter_context(database),
        }
        first = Server(folder / "first", environment=environment).prepare()
        second = Server(folder / "second", kind="gunicorn", environment=environment)
        second._secret_key = first._secret_key
        for server in (first, second):
            stack.callback(server.stop)
            server.start()
        yield first, second


async def test_an_event_of_any_process_reaches_all(pair):
    first, second = pair
    async with Client(first, user="nurse") as one, Client(second, user="demo") as two:
        streams = [await one.subscribe(WATCH), await two.subscribe(WATCH)]
        await two.execute(CREATE, {"name": "By the second"})
        first.shell(
            "from patients.models import *; Patient.objects.create(name='By a shell',"
            " category=DiseaseCategory.objects.get(code='I'))"
        )
        for stream in streams:
            names = [(await stream.next())["onNewPatient"]["patient"]["name"] for _ in range(2)]
            assert names == ["By the second", "By a shell"]


async def test_a_right_that_is_taken_away_is_gone_in_all(pair):
    first, second = pair
    async with Client(first, user="nurse") as one, Client(second, user="demo") as two:
        withheld, told = await one.subscribe(WATCH), await two.subscribe(WATCH)
        second.shell(
            "from django.contrib.auth.models import User; from patients.models import *;"
            "User.objects.get(username='nurse').user_permissions.clear();"
            "Patient.objects.create(name='After',"
            " category=DiseaseCategory.objects.get(code='I'))"
        )
        assert (await told.next())["onNewPatient"]["patient"]["name"] == "After"
        # Not the event, but why there is none; then the socket has lost everything.
        refusal = await one.receive(withheld.op_id)
        assert (refusal["type"], refusal["payload"][0]["extensions"]["code"]) == (
            "error",
            "FORBIDDEN",
        )
        with pytest.raises(Closed, match="4403"):
            await one.receive(withheld.op_id)
