"""An import from its first byte to its last batch, for whoever runs it: a command or a worker."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

from django.utils import timezone

from live.history import Author
from patients.importers.chapters import DEFAULT_CHAPTER, read_chapters
from patients.importers.csvfile import BadRow, ImportFailed
from patients.importers.store import PatientStore, Tally
from patients.importers.synthea import SyntheaExport
from patients.models import DiseaseCategory

# A transaction's length, and how many events its commit sends at once: some tenths of a
# second during which SQLite has no other writer.
BATCH_SIZE = 500


class RowsRejected(ImportFailed):
    """There are bad rows, and nothing was written."""


class Observer(Protocol):
    """Who is told how far an import is."""

    def checking(self, size: int) -> None:
        """The check begins; it reads `size` bytes."""

    def checked(self, count: int) -> None:
        """So many more bytes were read."""

    def rejected(self, bad: BadRow) -> None:
        """A row cannot be imported."""

    def writing(self, total: int) -> None:
        """Writing begins, of `total` patients."""

    def wrote(self, count: int, tally: Tally) -> None:
        """So many more patients were committed; `tally` is of all until now."""


class PatientImport:
    """The patients of Synthea's CSV export: first everything is checked, then written in batches.

    Args:
        folder: Synthea's `output/csv`.
        chapters: a table of reasons' categories (see `read_chapters`), None without one.
        observer: told of each step.
        author: who imports, for the patients' histories; None: they do not tell of it.

    First exhaust `check`, then call `write`. Running it again after it was cut off finishes
    it: what is written stays as it is, and is announced once.

    Raises ImportFailed, here and later, where it cannot go on.
    """

    def __init__(
        self,
        folder: Path,
        chapters: Path | None,
        observer: Observer,
        author: Author | None = None,
    ) -> None:
        self.tally, self.rejected = Tally(), 0
        self._chapters, self._observer = chapters, observer
        self._store = _store(chapters, author)
        self._export = SyntheaExport(folder, timezone.localdate())

    @property
    def paths(self) -> list[Path]:
        """The files that it reads."""
        return [*self._export.paths, *([self._chapters] if self._chapters else [])]

    def check(self) -> Iterator[BadRow]:
        """Read everything; yield what cannot be imported."""
        self._observer.checking(self._export.size)
        for bad in self._export.check(self._observer.checked):
            self.rejected += 1
            self._observer.rejected(bad)
            yield bad

    def check_all_good(self) -> None:
        """Read everything; raise RowsRejected in the end if there was a bad row."""
        for _ in self.check():
            pass
        if self.rejected:
            raise RowsRejected(
                f"Rows that cannot be imported: {self.rejected}. Nothing was written."
            )

    def write(self, batch_size: int = BATCH_SIZE) -> None:
        """Write what `check` found nothing wrong with, each batch wholly or not at all."""
        admissions = self._export.admissions()
        self._observer.writing(self._export.count)
        while batch := list(islice(admissions, batch_size)):
            self._export.require_unchanged()
            self.tally.add(self._store.write(batch))
            self._observer.wrote(len(batch), self.tally)


def _store(chapters: Path | None, author: Author | None) -> PatientStore:
    categories = {category.code: category for category in DiseaseCategory.objects.all()}
    if DEFAULT_CHAPTER not in categories:
        raise ImportFailed(
            f"There is no disease category {DEFAULT_CHAPTER}, for patients without a reason."
        )
    table = read_chapters(chapters, set(categories)) if chapters else {}
    return PatientStore(categories, table, author)
