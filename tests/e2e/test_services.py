"""Two server processes on real PostgreSQL and Redis are one: events and rights reach both."""

import pytest

from tests.e2e.clients import Client, Closed
from tests.e2e.together import CREATE, WATCH, names_until, register, servers_together


@pytest.fixture(scope="module")
def pair():
    """A Daphne and a gunicorn worker that share a database and a Redis."""
    with servers_together("daphne", "gunicorn") as servers:
        yield servers


async def test_an_event_of_any_process_reaches_all(pair):
    first, second = pair
    async with Client(first, user="nurse") as one, Client(second, user="demo") as two:
        streams = [await one.subscribe(WATCH), await two.subscribe(WATCH)]
        await two.execute(CREATE, {"name": "By the second"})
        register(first, "By a shell")
        for stream in streams:
            assert await names_until(stream, "By a shell") == ["By the second", "By a shell"]


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
