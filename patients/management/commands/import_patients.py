"""`manage.py import_patients DIR`: patients from Synthea's CSV export."""

import contextlib
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import DatabaseError
from django.utils.translation import gettext_noop
from rich.console import Console
from rich.progress import Progress, TaskID

from live.history import Author
from patients.importers.chapters import DEFAULT_CHAPTER
from patients.importers.csvfile import BadRow, ImportFailed
from patients.importers.importing import BATCH_SIZE, PatientImport, RowsRejected
from patients.importers.rejects import RejectsFile
from patients.importers.store import Tally

# By which door the patients came, in their history.
DOOR = gettext_noop("import from the command line")
INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError("must be a whole number from 1")
    return int(text)


class Command(BaseCommand):
    """Import patients: first everything is checked, then written in batches."""

    help = (
        "Register the patients of Synthea's CSV export (patients.csv, encounters.csv), or bring "
        "them up to date. Bad rows are listed with file, line and reason, and then nothing is "
        "written unless --skip-bad is given. An import that was cut off is finished by running "
        "it again: what is written already stays as it is, and is announced once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="Synthea's output/csv")
        parser.add_argument(
            "--chapters",
            type=Path,
            metavar="FILE",
            help="CSV table of reasons' categories, with the columns snomed_code and "
            f"icd10_chapter; a reason it lacks goes to {DEFAULT_CHAPTER}",
        )
        parser.add_argument(
            "--skip-bad",
            action="store_true",
            help="write the good rows, and list the bad ones in the rejects file",
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="FILE",
            help="where --skip-bad lists bad rows (default: ./rejects.csv)",
        )
        parser.add_argument(
            "--batch-size",
            type=_positive,
            default=BATCH_SIZE,
            metavar="N",
            help=f"patients in a transaction (default: {BATCH_SIZE})",
        )

        parser.add_argument(
            "--user",
            metavar="NAME",
            help="who imports: the patients' histories in the admin name this user; without it "
            "they do not tell of the import, since each entry of a history is a user's",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._import: PatientImport | None = None
        try:
            with self._progress() as progress:
                self._run(Shown(progress, self.stderr), **options)
        except ImportFailed as error:
            raise CommandError(f"{error}{self._so_far()}") from None
        except DatabaseError as error:
            # Its text may quote the row that was refused.
            reason = f"The database refused ({type(error).__name__}); is it migrated?"
            raise CommandError(f"{reason}{self._so_far()}") from None
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted.{self._so_far()}", returncode=INTERRUPTED) from None
        assert self._import is not None
        self.stdout.write(f"{self._import.tally}, {self._import.rejected} rejected.")

    def _run(
        self,
        shown: "Shown",
        *,
        folder: Path,
        chapters: Path | None,
        skip_bad: bool,
        rejects: Path | None,
        batch_size: int,
        user: str | None,
        **options: Any,
    ) -> None:
        self._import = PatientImport(folder, chapters, shown, _author(user))
        if skip_bad:
            self._check_into(_rejects_path(rejects, self._import.paths), self._import)
        elif rejects:
            raise ImportFailed("--rejects is for --skip-bad: without it bad rows stop all.")
        else:
            self._check_all_good(self._import)
        self._import.write(batch_size)

    def _check_all_good(self, patients: PatientImport) -> None:
        try:
            patients.check_all_good()
        except RowsRejected as error:
            raise ImportFailed(f"{error} Mend them, or leave them out with --skip-bad.") from None

    def _check_into(self, path: Path, patients: PatientImport) -> None:
        with RejectsFile(path) as file:
            for bad in patients.check():
                file.add(bad)
            # Before anything is written: what is left out is on record first.
            file.keep()

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Progress]:
        shown = self.stderr.isatty()
        with Progress(console=Console(stderr=True), disable=not shown) as progress:
            yield progress

    def _so_far(self) -> str:
        """Return what an import that ends early has to add, if it has written anything."""
        if self._import is None or not self._import.tally.created + self._import.tally.updated:
            return ""
        return f" Before that: {self._import.tally}. Run it again to go on."


class Shown:
    """Shows the import's progress in a terminal, and its bad rows line by line."""

    def __init__(self, progress: Progress, stderr: OutputWrapper) -> None:
        self._progress, self._stderr = progress, stderr
        self._task = TaskID(0)

    def checking(self, size: int) -> None:
        self._task = self._progress.add_task("Checking", total=size)

    def writing(self, total: int) -> None:
        self._task = self._progress.add_task("Writing", total=total)

    def checked(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def wrote(self, count: int, tally: Tally) -> None:
        self._progress.advance(self._task, count)

    def rejected(self, bad: BadRow) -> None:
        if self._progress.disable:
            self._stderr.write(str(bad))
        else:  # above the bar, which a plain write would tear
            console = self._progress.console
            console.print(str(bad), markup=False, highlight=False, soft_wrap=True)


def _author(username: str | None) -> Author | None:
    """Return who imports; raise ImportFailed where there is no such user."""
    if username is None:
        return None
    user = User.objects.filter(username=username).first()
    if user is None:
        raise ImportFailed(f"There is no user {username!r}.")
    return Author(user.pk, DOOR)


def _rejects_path(path: Path | None, read: list[Path]) -> Path:
    """Return where the rejects go; raise ImportFailed where that would destroy what is read."""
    path = path or Path("rejects.csv")
    if path.is_dir() or path.resolve() in {other.resolve() for other in read}:
        raise ImportFailed(f"{path}: the rejects file may not take this place.")
    return path
