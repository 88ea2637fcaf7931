"""Carrying out an import in the background, and telling how far it is."""

import logging
import math
import time
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from live.errors import LiveError
from live.history import Author
from patients.importers.csvfile import BadRow, ImportFailed
from patients.importers.importing import PatientImport
from patients.importers.store import Tally
from patients.imports import selectors, sources
from patients.imports.models import ImportRun
from patients.imports.progress import is_silent, progress_of
from patients.schema.import_progress import OnImportProgress, group_of

logger = logging.getLogger(__name__)

# While it checks: a few writes a second. Each batch is told of, beside which that is little.
TELL_SECONDS = 0.25
# Rejected rows that are listed; all are counted.
MOST_REJECTS = 1000
# By which door the patients came, in their history.
DOOR = gettext_noop("import")
# An import whose workers die of it is not tried for ever.
MOST_ATTEMPTS = 3

State = ImportRun.State


class InOtherHands(Exception):
    """Another worker has, or has just had, the import in hand."""


class GivenUp(Exception):
    """The import was deleted, or another worker took it up."""


def perform(pk: int) -> None:
    """Carry out the import `pk`; one that has finished, or is gone, is left alone.

    Whatever goes wrong with it is told in its row. Raises InOtherHands, and DatabaseError
    where the row itself cannot be read or written.
    """
    run = claim(pk)
    if run is None:
        return
    try:
        _carry_out(run, Reporter(run))
    except GivenUp:
        logger.warning("Import %s was given up: it is gone, or in other hands", pk)


def claim(pk: int) -> ImportRun | None:
    """Return the import with a new attempt's number; None where there is nothing to do."""
    with transaction.atomic():
        run = ImportRun.objects.select_for_update().filter(pk=pk).first()
        if run is None or run.finished_at is not None:
            return None
        now = timezone.now()
        if run.attempt and not is_silent(run, now):
            raise InOtherHands
        run.attempt += 1
        run.state, run.alive_at = State.CHECKING, now
        run.done, run.total, run.rejected, run.rejects = 0, None, 0, []
        run.save()
    return run


def _carry_out(run: ImportRun, reporter: "Reporter") -> None:
    try:
        _import(run, reporter)
    except GivenUp:
        raise
    except Exception as error:
        reporter.failed(_reason(error))
    else:
        reporter.finished()


def _import(run: ImportRun, reporter: "Reporter") -> None:
    if run.attempt > MOST_ATTEMPTS:
        raise ImportFailed(f"Its worker died {MOST_ATTEMPTS} times; it is not tried again.")
    # Queued perhaps for hours, in which rights may have been taken away.
    user: Any = run.started_by
    selectors.require_import_right(user=user)
    author = Author(user.pk, DOOR)
    with sources.opened(run) as (folder, chapters):
        try:
            patients = PatientImport(folder, chapters, reporter, author)
            if run.skip_bad:
                for _ in patients.check():
                    pass
            else:
                patients.check_all_good()
            patients.write()
        except ImportFailed as error:
            raise ImportFailed(_without_folder(str(error), folder)) from None


def _without_folder(text: str, folder: Path) -> str:
    """Return `text` without the path in front of a file's name, which is the server's own."""
    return text.replace(f"{folder}/", "")


def _reason(error: Exception) -> str:
    """Return what the client is told; no text that was not written for one."""
    if isinstance(error, ImportFailed):
        return str(error)
    if isinstance(error, LiveError):
        return str(error.message)
    kind = type(error).__name__
    logger.error("An import failed: %s", kind)
    if isinstance(error, DatabaseError):
        return f"The database refused ({kind})."
    return f"Internal error ({kind})."


class Reporter:
    """Writes an import's progress to its row, and tells it to those who watch."""

    def __init__(self, run: ImportRun) -> None:
        self._run = run
        self._told_at = -math.inf

    # ---- Observer: what the import calls

    def checking(self, size: int) -> None:
        self._tell()

    def checked(self, count: int) -> None:
        self._tell()

    def rejected(self, bad: BadRow) -> None:
        self._run.rejected += 1
        if len(self._run.rejects) < MOST_REJECTS:
            self._run.rejects.append({"file": bad.file, "line": bad.line, "reason": bad.reason})
        self._tell()

    def writing(self, total: int) -> None:
        self._run.state, self._run.total = State.WRITING, total
        self._tell(at_once=True)

    def wrote(self, count: int, tally: Tally) -> None:
        run = self._run
        run.done += count
        run.created, run.updated, run.unchanged = tally.created, tally.updated, tally.unchanged
        self._tell(at_once=True)

    # ---- the end

    def finished(self) -> None:
        """Tell that all is written."""
        self._end(State.FINISHED, "")

    def failed(self, reason: str) -> None:
        """Tell why it ended."""
        if self._run.created + self._run.updated:
            reason += " What was written before stays; run it again to go on."
        self._end(State.FAILED, reason)

    def _end(self, state: ImportRun.State, error: str) -> None:
        run = self._run
        run.state, run.error, run.finished_at = state, error, timezone.now()
        self._tell(at_once=True)
        run.parts.all().delete()

    def _tell(self, *, at_once: bool = False) -> None:
        if not at_once and time.monotonic() - self._told_at < TELL_SECONDS:
            return
        self._told_at = time.monotonic()
        # The row first: who subscribes and then reads it has missed nothing.
        self._write()
        told = progress_of(self._run, self._run.alive_at)
        OnImportProgress.broadcast(group=group_of(self._run.pk), payload=told)

    def _write(self) -> None:
        run = self._run
        run.alive_at = timezone.now()
        values: dict[str, Any] = {name: getattr(run, name) for name in WRITTEN}
        if not ImportRun.objects.filter(pk=run.pk, attempt=run.attempt).update(**values):
            raise GivenUp


WRITTEN = (
    *("state", "done", "total", "created", "updated", "unchanged"),
    *("rejected", "rejects", "error", "alive_at", "finished_at"),
)
