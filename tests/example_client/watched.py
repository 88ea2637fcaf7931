"""A watch of a server that plays a script, and the events that such a server sends."""

import asyncio
import io
import tempfile

import pytest

from example_client.backoff import Backoff
from example_client.output import Output
from example_client.session import Endpoint
from example_client.watch import Watch
from tests.example_client.samples import PATIENT


def new(cursor):
    notification = {"message": "New patient added", "patient": PATIENT, "cursor": cursor}
    return {"data": {"onNewPatient": notification}}


def discharged(cursor):
    notification = {"message": "Patient discharged", "patient": PATIENT, "cursor": cursor}
    return {"data": {"onPatientChanged": {**notification, "change": "DISCHARGED"}}}


NEW = new("new")
DISCHARGED = discharged("changed")
CONFIRMATION = {"data": None}


def failed(code):
    return {"data": None, "errors": [{"message": "No.", "extensions": {"code": code}}]}


class Watched:
    """A watch that runs to its end; what it printed, and the error that ended it."""

    def __init__(self):
        self._stderr = io.StringIO()
        self.error = self.kinds = None

    async def run(self, url, category=None, backoff=None, **kwargs):
        backoff = backoff or Backoff(0.01, 0.02)
        with tempfile.TemporaryFile("w+") as stdout:
            output = Output(as_json=False, stdout=stdout, stderr=self._stderr)
            with pytest.raises(Exception) as error:  # noqa: PT011  returned, and looked at
                async with asyncio.timeout(10):
                    await Watch(Endpoint(url), category, output, backoff, **kwargs).run()
            stdout.seek(0)
            self.kinds = [line.split()[1] for line in stdout]
        self.error = error.value
        return self

    @property
    def status(self):
        return self._stderr.getvalue().splitlines()


async def watched(serve, *scripts, **kwargs):
    """Watch a server that plays one script a connection, given the subscriptions' ids."""
    remaining = list(scripts)

    async def script(server):
        await remaining.pop(0)(server, *await server.subscriptions())

    async with serve(script) as url:
        return await Watched().run(url, **kwargs)


async def confirm(server, *ids):
    for op_id in ids:
        await server.send("next", op_id, CONFIRMATION)


async def end(server, op_id):
    """End the client for good; what was sent before has been read by then."""
    await server.send("error", op_id, failed("FORBIDDEN")["errors"])
    await server.ws.receive()
