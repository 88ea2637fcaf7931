"""`manage.py import_patients DIR`: patients from Synthea's CSV export."""

import contextlib
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress

from patients.importers.chapters import DEFAULT_CHAPTER, read_chapters
from patients.importers.csvfile import BadRow, ImportFailed
from patients.importers.rejects import RejectsFile
from patients.importers.store import PatientStore, Tally
from patients.importers.synthea import SyntheaExport
from patients.models import DiseaseCategory

# A transaction's length, and how many events its commit sends at once: some tenths of a
# second during which SQLite has no other writer.
BATCH_SIZE = 500
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

    def handle(self, *args: Any, **options: Any) -> None:
        self._tally, self._rejected = Tally(), 0
        try:
            self._import(**options)
        except ImportFailed as error:
            raise CommandError(f"{error}{self._so_far()}") from None
        except DatabaseError as error:
            # Its text may quote the row that was refused.
            reason = f"The database refused ({type(error).__name__}); is it migrated?"
            raise CommandError(f"{reason}{self._so_far()}") from None
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted.{self._so_far()}", returncode=INTERRUPTED) from None
        self.stdout.write(f"{self._counts()}, {self._rejected} rejected.")

    def _import(
        self,
        *,
        folder: Path,
        chapters: Path | None,
        skip_bad: bool,
        rejects: Path | None,
        batch_size: int,
        **options: Any,
    ) -> None:
        store = self._store(chapters)
        export = SyntheaExport(folder, timezone.localdate())
        with self._progress() as progress:
            if skip_bad:
                self._check_into(_rejects_path(rejects, export, chapters), export, progress)
            elif rejects:
                raise ImportFailed("--rejects is for --skip-bad: without it bad rows stop all.")
            else:
                self._check_all_good(export, progress)
            self._write(store, export, batch_size, progress)

    def _store(self, chapters: Path | None) -> PatientStore:
        categories = {category.code: category for category in DiseaseCategory.objects.all()}
        if DEFAULT_CHAPTER not in categories:
            raise ImportFailed(
                f"There is no disease category {DEFAULT_CHAPTER}, for patients without a reason."
            )
        table = read_chapters(chapters, set(categories)) if chapters else {}
        return PatientStore(categories, table)

    # ---- the two passes

    def _check_all_good(self, export: SyntheaExport, progress: Progress) -> None:
        for _ in self._bad_rows(export, progress):
            pass
        if self._rejected:
            raise ImportFailed(
                f"Rows that cannot be imported: {self._rejected}. Nothing was written. "
                "Mend them, or leave them out with --skip-bad."
            )

    def _check_into(self, path: Path, export: SyntheaExport, progress: Progress) -> None:
        with RejectsFile(path) as file:
            for bad in self._bad_rows(export, progress):
                file.add(bad)
            # Before anything is written: what is left out is on record first.
            file.keep()

    def _bad_rows(self, export: SyntheaExport, progress: Progress) -> Iterator[BadRow]:
        task = progress.add_task("Checking", total=export.size)
        for bad in export.check(lambda count: progress.advance(task, count)):
            self._rejected += 1
            self._tell(str(bad), progress)
            yield bad

    def _write(
        self, store: PatientStore, export: SyntheaExport, batch_size: int, progress: Progress
    ) -> None:
        admissions = export.admissions()
        task = progress.add_task("Writing", total=export.count)
        while batch := list(islice(admissions, batch_size)):
            export.require_unchanged()
            self._tally.add(store.write(batch))
            progress.advance(task, len(batch))

    # ---- what is said

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Progress]:
        shown = self.stderr.isatty()
        with Progress(console=Console(stderr=True), disable=not shown) as progress:
            yield progress

    def _tell(self, line: str, progress: Progress) -> None:
        if progress.disable:
            self.stderr.write(line)
        else:  # above the bar, which a plain write would tear
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _counts(self) -> str:
        tally = self._tally
        return f"{tally.created} created, {tally.updated} updated, {tally.unchanged} unchanged"

    def _so_far(self) -> str:
        """Return what an import that ends early has to add, if it has written anything."""
        if not self._tally.created + self._tally.updated:
            return ""
        return f" Before that: {self._counts()}. Run it again to go on."


def _rejects_path(path: Path | None, export: SyntheaExport, chapters: Path | None) -> Path:
    """Return where the rejects go; raise ImportFailed where that would destroy what is read."""
    path = path or Path("rejects.csv")
    read = [*export.paths, *([chapters] if chapters else [])]
    if path.is_dir() or path.resolve() in {other.resolve() for other in read}:
        raise ImportFailed(f"{path}: the rejects file may not take this place.")
    return path
