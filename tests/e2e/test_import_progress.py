"""Imports by real Celery workers, with real Redis and PostgreSQL: who is told what, and when."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

import psycopg
import pytest

from tests.conftest import require_program
from tests.e2e.clients import Client, Refused
from tests.e2e.faults.installation import open_folder
from tests.e2e.programs import missing
from tests.e2e.servers import ROOT, Server
from tests.e2e.services import postgres_binaries, postgres_server, redis_server
from tests.patients.importers.exports import encounter, patient, write_export

SECONDS = 60
# So that a dead worker is missed in seconds; a minute is what production has.
SILENCE_SECONDS = 2
MANY = 2000
HELD_AT = 1200  # in the third batch of 500

STAFF = """
from django.contrib.auth.models import Permission, User
for name in ("registrar", "colleague"):
    user = User.objects.create_user(name, password=name, is_staff=True)
    rights = ("add_patient", "change_patient")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
"""
IMPORT = """
  mutation ($directory: String) { importPatients(directory: $directory) { id } }
"""
PROGRESS = """
  subscription ($id: ID!) {
    onImportProgress(id: $id) { state done total rejected finished error }
  }
"""
RUN = """
  query ($id: ID!) {
    importRun(id: $id) { state done total created updated unchanged finished error }
  }
"""
START = """
from django.contrib.auth.models import User
from patients.imports.models import ImportRun
from patients.schema.import_progress import import_id
run = ImportRun.objects.create(started_by=User.objects.get(username="registrar"))
print(run.pk, import_id(run.pk))
"""
WATCH = "subscription { onNewPatient { patient { name } } }"


@pytest.fixture(scope="module")
def wardcast():
    """A gunicorn worker on PostgreSQL and Redis, and an import root; no Celery worker runs."""
    redis = require_program("redis-server", "redis-server")
    binaries = postgres_binaries() or missing("PostgreSQL: apt-get install postgresql")
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        database = postgres_server(binaries, folder / "postgres")
        environment = {
            "REDIS_URL": stack.enter_context(redis_server(redis)),
            "DATABASE_URL": stack.enter_context(database),
            "IMPORT_ROOT": str(folder / "root"),
            "IMPORT_SILENCE_SECONDS": str(SILENCE_SECONDS),
        }
        server = Server(folder, kind="gunicorn", environment=environment).prepare()
        server.shell(STAFF)
        stack.callback(server.stop)
        yield server.start()


@contextmanager
def celery_worker(server):
    """Run a Celery worker beside the server; it leaves nothing behind, however it ends."""
    command = [sys.executable, "-m", "celery", "-A", "server", "worker", "--concurrency", "1"]
    with (server.folder / "worker.log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=server.env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def child_of(process):
    """Return the process id of the worker's only child, which runs the tasks."""
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


@contextmanager
def held(server, name):
    """Hold the import of the export `name` in its third batch, by a lock on one patient."""
    url = server.environment["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        lock = "SELECT 1 FROM patients_patient WHERE external_id = %s FOR UPDATE"
        assert connection.execute(lock, [f"{name}-{HELD_AT}"]).fetchall()
        yield
        connection.rollback()


def export(server, name, count):
    """Write an export of `count` patients below the import root; none is in another export."""
    ids = [f"{name}-{number}" for number in range(count)]
    folder = Path(server.environment["IMPORT_ROOT"]) / name
    folder.mkdir(parents=True)
    return write_export(folder, [patient(id) for id in ids], [encounter(id) for id in ids])


def large_export(server, name):
    """Write an export of several batches, of which one patient is registered already."""
    server.shell(
        "from patients.models import *; Patient.objects.create(name='Held',"
        f" external_id='{name}-{HELD_AT}', category=DiseaseCategory.objects.get(code='XXI'))"
    )
    return export(server, name, MANY)


def names(folder):
    """Return how the new patients of a large export are called, in the file's order."""
    rows = (folder / "patients.csv").read_text().splitlines()[1:]
    return [f"Ann {row.split(',')[0].title()}" for row in rows[:HELD_AT] + rows[HELD_AT + 1 :]]


async def until_done(stream, count):
    """Return the progress told until `count` patients are committed."""
    told = []
    while not told or told[-1]["done"] < count:
        told.append((await stream.next())["onImportProgress"])
    return told


async def until_finished(client, stream, run):
    """Return the progress told until the import has ended, that which the query knows last."""
    told = []
    deadline = time.monotonic() + SECONDS
    while not (told and told[-1]["finished"]):
        assert time.monotonic() < deadline, f"nothing more after {told}"
        with suppress(TimeoutError):  # a message's; a worker may need longer to begin
            told.append((await stream.next())["onImportProgress"])
    asked = (await client.execute(RUN, {"id": run}))["importRun"]
    assert {name: asked[name] for name in ("state", "done", "total", "error")} == {
        name: told[-1][name] for name in ("state", "done", "total", "error")
    }
    return told


async def test_a_worker_tells_how_far_it_is_to_who_started_it(wardcast):
    folder = large_export(wardcast, "large")
    registrar, colleague = Client(wardcast, "registrar"), Client(wardcast, "colleague")
    async with registrar, colleague, Client(wardcast, "nurse") as nurse:
        ward = await nurse.subscribe(WATCH)
        started = await registrar.execute(IMPORT, {"directory": "large"})
        run = started["importPatients"]["id"]
        # The mutation has answered, and there is no worker yet.
        waiting = (await registrar.execute(RUN, {"id": run}))["importRun"]
        assert (waiting["state"], waiting["finished"]) == ("WAITING", False)
        stream = await registrar.subscribe(PROGRESS, id=run)
        for client, codes in ((colleague, ["NOT_FOUND"]), (nurse, ["FORBIDDEN"])):
            with pytest.raises(Refused) as refused:
                await client.subscribe(PROGRESS, id=run)
            assert refused.value.codes == codes
        with celery_worker(wardcast):
            with held(wardcast, "large"):
                told = await until_done(stream, 1000)
            told += await until_finished(registrar, stream, run)
        end = {"done": MANY, "total": MANY, "state": "FINISHED", "error": None}
        assert told[-1].items() >= end.items()
        done = [progress["done"] for progress in told]
        assert done == sorted(done)
        heard = [(await ward.next())["onNewPatient"]["patient"]["name"] for _ in names(folder)]
        assert heard == names(folder)


@pytest.mark.parametrize("killed", ["the task's process", "the whole worker"])
async def test_what_a_killed_worker_leaves_is_finished_once(wardcast, killed):
    name = killed.replace(" ", "-").replace("'", "")
    folder = large_export(wardcast, name)
    async with Client(wardcast, "registrar") as client, Client(wardcast, "nurse") as nurse:
        ward = await nurse.subscribe(WATCH)
        started = await client.execute(IMPORT, {"directory": name})
        run = started["importPatients"]["id"]
        stream = await client.subscribe(PROGRESS, id=run)
        with celery_worker(wardcast) as worker:
            with held(wardcast, name):
                await until_done(stream, 1000)
                if killed == "the whole worker":
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
                    await interrupted(client, run)
                else:
                    os.kill(child_of(worker), signal.SIGKILL)
            with celery_worker(wardcast) if killed == "the whole worker" else nullcontext():
                told = await until_finished(client, stream, run)
        asked = (await client.execute(RUN, {"id": run}))["importRun"]
        assert told[-1]["state"] == "FINISHED"
        # Of the first 1000 nothing was lost, and nothing is written twice.
        assert asked["unchanged"] == 1000
        assert asked["created"] + asked["updated"] == MANY - 1000
        # Each is told of once, whichever worker wrote it.
        heard = [(await ward.next())["onNewPatient"]["patient"]["name"] for _ in names(folder)]
        assert heard == names(folder)


async def test_a_queue_that_was_lost_is_made_up_for(wardcast):
    export(wardcast, "lost", 1)
    async with Client(wardcast, "registrar") as client:
        started = await client.execute(IMPORT, {"directory": "lost"})
        run = started["importPatients"]["id"]
        wardcast.shell("from server.celery import app; app.control.purge()")
        stream = await client.subscribe(PROGRESS, id=run)
        with celery_worker(wardcast):
            told = await until_finished(client, stream, run)
        assert told[-1]["done"] == 1


async def interrupted(client, run):
    """Return when the import is shown as interrupted, and not as finished."""
    async with asyncio.timeout(SECONDS):
        while True:
            asked = (await client.execute(RUN, {"id": run}))["importRun"]
            assert not asked["finished"]
            if asked["state"] == "INTERRUPTED":
                return
            await asyncio.sleep(0.2)  # between two looks


async def test_a_client_that_does_not_read_finds_the_newest(wardcast):
    pk, run = wardcast.shell(START).split()
    # Together more than any buffer between the two takes.
    count, size = 300, 100_000
    broadcasts = f"""
from patients.schema.import_progress import *
told = dict(state="writing", total={count}, rejected=0, created=0, updated=0, unchanged=0,
            finished=False, error="x" * {size})
for done in range({count} + 1):
    OnImportProgress.broadcast(group=group_of({pk}), payload={{**told, "done": done}})
"""
    async with Client(wardcast, "registrar") as client:
        stream = await client.subscribe(PROGRESS, id=run)
        client._reader.cancel()
        await asyncio.to_thread(wardcast.shell, broadcasts)
        client._reader = asyncio.create_task(client._read())
        before = await stream.until(lambda event: event["onImportProgress"]["done"] == count)
        assert len(before) < count / 2, "it was told everything"
        assert stream.pending() == []


async def test_a_broker_that_is_away_is_told(wardcast, tmp_path):
    export(wardcast, "unqueued", 1)
    environment = {**wardcast.environment, "REDIS_URL": "redis://127.0.0.1:1/0"}
    code = """
from django.contrib.auth.models import User
from live.errors import Unavailable
from patients.imports import services
from patients.imports.models import ImportRun
user, before = User.objects.get(username="registrar"), ImportRun.objects.count()
try:
    services.start_directory(user=user, directory="unqueued", chapters="", skip_bad=False)
except Unavailable as error:
    print(error.code, ImportRun.objects.count() - before)
"""
    beside = Server(tmp_path, environment=environment)
    assert beside.shell(code) == "UNAVAILABLE 0\n"
