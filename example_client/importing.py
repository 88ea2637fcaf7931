"""Importing patients: the files sent where they are here, the worker followed to its end."""

import argparse
import asyncio
import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from example_client import operations
from example_client.backoff import Backoff
from example_client.bar import Bar
from example_client.commands import without_none
from example_client.errors import Refused, Unreachable, Usage, from_graphql
from example_client.output import Output
from example_client.session import Client, Endpoint, connected, data_of

# A server that confirms subscriptions does so at once; others never do.
CONFIRM_SECONDS = 2.0
# After so much silence the import's state is asked for: its worker may be gone.
ASK_AGAIN_SECONDS = 5.0
# Bytes of JSON in one part of a file, well below what a server takes in one message.
PART_BYTES = 200_000


class Import:
    """Starts an import, and follows it over as many connections as it takes.

    Args:
        arguments: `directory`, `upload`, `chapters` and `skip_bad` of the command line.
        bar: where its progress is shown.
        backoff: the delays between attempts to reconnect.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        arguments: argparse.Namespace,
        output: Output,
        bar: Bar | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._arguments = arguments
        self._output = output
        self._bar = bar or Bar()
        self._backoff = backoff or Backoff()
        self._id: str | None = None

    async def run(self) -> None:
        """Import, and print what became of it; raise Refused where it failed."""
        files = local_files(self._arguments) if self._arguments.upload else {}
        with self._bar:
            try:
                run = await self._run(files)
            except asyncio.CancelledError:
                if self._id is not None:
                    self._bar.say(f"the import goes on at the server, as {self._id}")
                raise
        self._output.import_run(run)
        if run["state"] != "FINISHED":
            raise Refused(f"the import failed: {run['error']}")

    async def _run(self, files: dict[str, str]) -> dict[str, Any]:
        while True:
            try:
                async with connected(self._endpoint) as client:
                    if self._id is None:
                        self._id = await self._start(client, files)
                    return await self._follow(client, self._id)
            except Unreachable as error:
                if self._id is None:
                    raise
                await self._pause(error)

    async def _pause(self, error: Unreachable) -> None:
        delay = self._backoff.next_delay()
        self._bar.say(f"{error}, trying again in {delay:.1f} s")
        await asyncio.sleep(delay)

    # ---- starting

    async def _start(self, client: Client, files: dict[str, str]) -> str:
        """Return the id of the import that was started."""
        arguments = self._arguments
        variables: dict[str, Any] = {"skipBad": arguments.skip_bad}
        if files:
            variables["upload"] = await self._upload(client, files)
        else:
            variables |= without_none(
                directory=arguments.directory, chapters=chapters_in_directory(arguments)
            )
        try:
            started = await client.execute(operations.IMPORT, variables)
        except Unreachable as error:
            error.args = (f"{error}; whether the import was started is not known",)
            raise
        return str(started["importPatients"]["id"])

    async def _upload(self, client: Client, files: dict[str, str]) -> str | None:
        upload = None
        self._bar.uploading(sum(map(len, files.values())))
        for file, text in files.items():
            for part in parts_of(text):
                variables = without_none(file=file, content=part, upload=upload)
                answer = await client.execute(operations.UPLOAD, variables)
                upload = answer["uploadImportFile"]["upload"]
                self._bar.uploaded(len(part))
        return upload

    # ---- following

    async def _follow(self, client: Client, id: str) -> dict[str, Any]:
        """Return the import when it has ended.

        First the subscription, then the question: what is told before the one stands, the
        other's answer has, also of an import that has ended by then.
        """
        watching = await client.start(operations.IMPORT_PROGRESS, variables={"id": id})
        await confirmed(client, watching)
        asking = await self._ask(client, id)
        while True:
            message = await next_message(client)
            if message is None:
                asking = await self._ask(client, id)
            elif progress := self._progress_in(message, watching, asking):
                if progress["finished"] and message["id"] == asking:
                    return progress
                if progress["finished"]:
                    # The answer has the rejected rows too.
                    asking = await self._ask(client, id)

    async def _ask(self, client: Client, id: str) -> str:
        op_id: str = await client.start(operations.IMPORT_RUN, variables={"id": id})
        return op_id

    def _progress_in(self, message: dict[str, Any], *op_ids: str) -> dict[str, Any] | None:
        """Show the progress in a message, if it is one of these operations', and return it."""
        self._backoff.reset()
        progress = progress_in(message) if message.get("id") in op_ids else None
        if progress is not None:
            self._bar.show(progress)
        return progress


async def next_message(client: Client) -> dict[str, Any] | None:
    """Return the next message, None where none comes for a while."""
    try:
        async with asyncio.timeout(ASK_AGAIN_SECONDS):
            return await client.receive_message()
    except TimeoutError:
        return None


async def confirmed(client: Client, op_id: str) -> None:
    """Wait until the subscription is known to stand, or the server had time to say so.

    Raises what its refusal means.
    """
    try:
        async with asyncio.timeout(CONFIRM_SECONDS):
            while True:
                message = await client.receive_message()
                if message.get("id") == op_id:
                    progress_in(message)
                    return
    except TimeoutError:
        pass


def progress_in(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the progress that a message tells, None where it tells none; raise its errors."""
    if message.get("type") == "error":
        raise from_graphql(message.get("payload"))
    if message.get("type") != "next":
        return None
    data = data_of(message.get("payload"))
    progress: dict[str, Any] | None = data.get("onImportProgress") or data.get("importRun")
    return progress


def chapters_in_directory(arguments: argparse.Namespace) -> str | None:
    """Return the table's path from the directory, as the server wants it; both are the server's."""
    if arguments.chapters is None:
        return None
    return posixpath.relpath(arguments.chapters, arguments.directory)


def local_files(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the texts of the files to upload; raise Usage for one that cannot be read."""
    folder = Path(arguments.directory)
    paths = {"PATIENTS": folder / "patients.csv", "ENCOUNTERS": folder / "encounters.csv"}
    if arguments.chapters is not None:
        paths["CHAPTERS"] = Path(arguments.chapters)
    return {file: read(path) for file, path in paths.items()}


def read(path: Path) -> str:
    """Return a file's text as it is, newlines and all; raise Usage."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise Usage(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Usage(f"{path} is not UTF-8") from None


def parts_of(text: str) -> Iterator[str]:
    """Cut `text` into parts that are at most PART_BYTES of JSON each; none is cut to nothing."""
    begin = 0
    while begin < len(text) or begin == 0:
        size = PART_BYTES
        while len(json.dumps(text[begin : begin + size])) > PART_BYTES + 2:  # its quotes
            size //= 2
        yield text[begin : begin + size]
        begin += size
