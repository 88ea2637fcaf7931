"""The rejects file: what an import left out, and why."""

import csv
import os
import tempfile
from pathlib import Path
from types import TracebackType

from patients.importers.csvfile import BadRow, ImportFailed

COLUMNS = ("file", "line", "reason")


class RejectsFile:
    """A CSV file that appears at `path` when it is kept, complete, or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "RejectsFile":
        """Open it; raise ImportFailed where it could not be kept later."""
        try:
            # Beside its place, since a file is renamed at once within one file system only.
            self._file = tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, prefix=".rejects-", delete=False, newline=""
            )
        except OSError as error:
            raise ImportFailed(f"{self._path}: {error.strerror}") from None
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)
        return self

    def add(self, bad: BadRow) -> None:
        self._writer.writerow((bad.file, bad.line, bad.reason))

    def keep(self) -> None:
        """Put it in its place, over what was there before."""
        self._file.close()
        os.replace(self._file.name, self._path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)
