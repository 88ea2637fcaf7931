import argparse
import asyncio
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from example_client import importing
from example_client.backoff import Backoff
from example_client.bar import Bar, described
from example_client.errors import NotPermitted, Refused, Unreachable, Usage
from example_client.importing import Import, parts_of
from example_client.output import Output
from example_client.session import Endpoint

ID = "SW1wb3J0UnVuOjE="
WRITING = {
    **{"state": "WRITING", "done": 500, "total": 1000, "rejected": 0, "finished": False},
    **{"created": 500, "updated": 0, "unchanged": 0, "error": None},
}
FINISHED = {**WRITING, "state": "FINISHED", "done": 1000, "created": 1000, "finished": True}
FAILED = {**WRITING, "state": "FAILED", "finished": True, "error": "encounters.csv is empty"}


class Importer:
    """The client's import against `url`; what it printed is in `out` and `err`."""

    def __init__(self, url, **arguments):
        self.out, self.err = io.StringIO(), io.StringIO()
        given = {"directory": "march", "upload": False, "chapters": None, "skip_bad": False}
        self._import = Import(
            Endpoint(url),
            argparse.Namespace(**{**given, **arguments}),
            Output(as_json=False, stdout=self.out, stderr=self.err),
            Bar(Console(file=self.err)),
            Backoff(first=0.01),
        )

    async def run(self):
        async with asyncio.timeout(20):
            await self._import.run()
        return self.out.getvalue()


async def answer(socket, query, data):
    """Answer the next operation, which asks for `query`; return its variables."""
    message = await socket.receive("subscribe")
    assert query in message["payload"]["query"]
    await socket.send("next", message["id"], {"data": data})
    await socket.send("complete", message["id"])
    return message["payload"]["variables"]


async def start(socket):
    await socket.acknowledge()
    return await answer(socket, "importPatients(", {"importPatients": {"id": ID}})


async def confirm(socket):
    """Confirm the subscription, and return its operation's id."""
    message = await socket.receive("subscribe")
    assert "onImportProgress(" in message["payload"]["query"]
    assert message["payload"]["variables"] == {"id": ID}
    await socket.send("next", message["id"], {"data": None})
    return message["id"]


async def ask(socket, run):
    assert await answer(socket, "importRun(", {"importRun": {**run, "rejects": []}}) == {"id": ID}


async def test_an_import_that_ended_before_the_subscription_stood(serve):
    async def script(socket):
        assert await start(socket) == {"directory": "march", "skipBad": False}
        await confirm(socket)
        await ask(socket, FINISHED)
        await socket.receive("complete")

    async with serve(script) as url:
        assert await Importer(url).run() == "1000 created, 0 updated, 0 unchanged, 0 rejected\n"


async def test_the_end_is_told_by_the_subscription_and_asked_for_once_more(serve):
    async def script(socket):
        await start(socket)
        stream = await confirm(socket)
        await ask(socket, WRITING)
        await socket.send("next", stream, {"data": {"onImportProgress": FINISHED}})
        await ask(socket, FINISHED)
        await socket.receive("complete")

    async with serve(script) as url:
        assert await Importer(url).run() == "1000 created, 0 updated, 0 unchanged, 0 rejected\n"


async def test_after_a_silence_it_asks_again(serve, monkeypatch):
    monkeypatch.setattr(importing, "ASK_AGAIN_SECONDS", 0.05)

    async def script(socket):
        await start(socket)
        await confirm(socket)
        await ask(socket, WRITING)
        await ask(socket, FINISHED)
        await socket.receive("complete")

    async with serve(script) as url:
        assert await Importer(url).run()


async def test_a_failed_import_is_refused_with_its_reason(serve):
    async def script(socket):
        await start(socket)
        await confirm(socket)
        await ask(socket, FAILED)
        await socket.receive("complete")

    async with serve(script) as url:
        importer = Importer(url)
        with pytest.raises(Refused, match=r"the import failed: encounters\.csv is empty"):
            await importer.run()
        assert importer.out.getvalue().startswith("500 created")


async def test_a_connection_that_is_lost_is_followed_by_another_and_no_second_import(serve):
    connections = []

    async def script(socket):
        connections.append(socket)
        if len(connections) == 1:
            await start(socket)
            await confirm(socket)
            await socket.ws.close(code=1012)
            return
        await socket.acknowledge()
        await confirm(socket)
        await ask(socket, FINISHED)
        await socket.receive("complete")

    async with serve(script) as url:
        importer = Importer(url)
        assert await importer.run()
        assert "trying again in" in importer.err.getvalue()
    assert len(connections) == 2


async def test_a_start_without_an_answer_is_not_repeated(serve):
    async def script(socket):
        await socket.acknowledge()
        await socket.receive("subscribe")
        await socket.ws.close(code=1012)

    async with serve(script) as url:
        with pytest.raises(Unreachable, match="whether the import was started is not known"):
            await Importer(url).run()


@pytest.mark.parametrize("refuse_the_start", [True, False])
async def test_a_refusal_ends_it(serve, refuse_the_start):
    async def script(socket):
        if refuse_the_start:
            await socket.acknowledge()
        else:
            await start(socket)
        message = await socket.receive("subscribe")
        error = {"message": "No.", "extensions": {"code": "FORBIDDEN"}}
        await socket.send("error", message["id"], [error])

    async with serve(script) as url:
        with pytest.raises(NotPermitted, match="No"):
            await Importer(url).run()


async def test_files_are_sent_in_parts_in_order(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "PART_BYTES", 4)
    (tmp_path / "patients.csv").write_bytes(b"abcdef\r\n")
    (tmp_path / "encounters.csv").write_bytes(b"")
    sent = []

    async def script(socket):
        await socket.acknowledge()
        for _ in range(4):  # "\r\n" is four characters of JSON
            data = {"uploadImportFile": {"upload": ID}}
            sent.append(await answer(socket, "uploadImportFile(", data))
        assert await answer(socket, "importPatients(", {"importPatients": {"id": ID}}) == {
            "upload": ID,
            "skipBad": True,
        }
        await confirm(socket)
        await ask(socket, FINISHED)
        await socket.receive("complete")

    async with serve(script) as url:
        assert await Importer(url, upload=True, directory=tmp_path, skip_bad=True).run()
    assert "upload" not in sent[0]
    assert {part["upload"] for part in sent[1:]} == {ID}
    assert [(part["file"], part["content"]) for part in sent] == [
        ("PATIENTS", "abcd"),
        ("PATIENTS", "ef"),
        ("PATIENTS", "\r\n"),
        ("ENCOUNTERS", ""),
    ]


async def test_a_file_that_cannot_be_read_is_told_before_anything_is_sent(tmp_path):
    (tmp_path / "patients.csv").touch()
    with pytest.raises(Usage, match=r"encounters\.csv: No such file"):
        await Importer("ws://127.0.0.1:1/", upload=True, directory=tmp_path).run()


@given(st.text())
def test_no_part_is_too_large_and_none_is_lost(text):
    limit, importing.PART_BYTES = importing.PART_BYTES, 20
    try:
        parts = list(parts_of(text))
    finally:
        importing.PART_BYTES = limit
    assert "".join(parts) == text
    assert parts
    assert all(len(json.dumps(part)) <= 22 for part in parts)


# ---- the bar


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_is_for_a_terminal(terminal):
    file = io.StringIO()
    with Bar(Console(file=file, force_terminal=terminal, width=120)) as bar:
        bar.uploading(10)
        bar.uploaded(10)
        bar.show({**WRITING, "state": "CHECKING", "total": None, "done": 0})
        bar.show(WRITING)
        bar.say("connection [lost]\x1b")
    shown = file.getvalue()
    assert "connection [lost]\\x1b\n" in shown.replace("\x1b[2K", "")
    assert ("500/1000" in shown) is terminal


def test_rejected_rows_are_counted_beside_it():
    assert described({**WRITING, "rejected": 3}) == "Writing (3 rejected)"
    assert described({**WRITING, "state": "NEW_ONE"}) == "NEW_ONE"
