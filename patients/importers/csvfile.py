"""A CSV file, streamed: its rows with their line numbers, and what is wrong with it as a file."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

# Often enough for a smooth progress bar, seldom enough to cost nothing.
PROGRESS_BYTES = 1 << 18

Row = tuple[str, ...]
Advance = Callable[[int], object]


class ImportFailed(Exception):
    """The import cannot go on; the text says what is wrong and quotes no cell."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be imported; `reason` names columns and never quotes their values."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


class CsvFile:
    """The rows of one CSV file in UTF-8 (with or without BOM), comma-separated, with a header.

    Args:
        path: the file.
        columns: two or more names that its header must have, in any case and order.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path = path
        self._columns = columns
        self._undecodable = False

    @property
    def name(self) -> str:
        return self.path.name

    def rows(self, advance: Advance | None = None) -> Iterator[tuple[int, Row] | BadRow]:
        """Open the file anew; yield `(line, values of the columns)` or a BadRow for each row.

        Blank lines are skipped. `advance` is called now and then with the number of bytes
        read since the last call. Raises ImportFailed where the file cannot be read as a whole.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._rows(_reported(file, advance) if advance else file)
        except OSError as error:
            raise ImportFailed(f"{self.path}: {error.strerror}") from None

    def bad(self, line: int, reason: str) -> BadRow:
        """Return the BadRow of a line in this file."""
        return BadRow(self.name, line, reason)

    def _rows(self, file: Iterable[bytes]) -> Iterator[tuple[int, Row] | BadRow]:
        reader, line = csv.reader(self._lines(file), strict=True), 1
        try:
            header = next(reader, None)
            select, width = self._selector(header), len(header or ())
            line = reader.line_num + 1
            for cells in reader:
                if self._undecodable:
                    self._undecodable = False
                    yield self.bad(line, "is not UTF-8")
                elif len(cells) == width:
                    yield line, select(cells)
                elif cells:
                    yield self.bad(line, _miscounted(len(cells), width, reader.line_num - line))
                line = reader.line_num + 1
        except csv.Error as error:
            # After this the reader has lost its place: an open quote may have swallowed rows.
            raise ImportFailed(f"{self.name}, line {line}: not CSV ({error})") from None

    def _lines(self, file: Iterable[bytes]) -> Iterator[str]:
        for number, line in enumerate(file):
            yield self._decode(line, is_first=number == 0)

    def _decode(self, line: bytes, is_first: bool) -> str:
        try:
            return line.decode("utf-8-sig" if is_first else "utf-8")
        except UnicodeDecodeError:
            if is_first:
                raise ImportFailed(f"{self.name} is not UTF-8") from None
            self._undecodable = True
            return line.decode(errors="replace")

    def _selector(self, header: list[str] | None) -> Callable[[list[str]], Row]:
        if header is None:
            raise ImportFailed(f"{self.name} is empty")
        names = [name.strip().upper() for name in header]
        missing = [column for column in self._columns if column.upper() not in names]
        if missing:
            raise ImportFailed(f"{self.name} has no column {', '.join(missing)}")
        return itemgetter(*(names.index(column.upper()) for column in self._columns))


def _reported(file: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    unreported = 0
    for line in file:
        unreported += len(line)
        if unreported > PROGRESS_BYTES:
            advance(unreported)
            unreported = 0
        yield line
    advance(unreported)


def _miscounted(count: int, width: int, further_lines: int) -> str:
    reason = f"has {count} cells instead of {width}"
    if further_lines:
        reason += f", over {further_lines + 1} lines"
    return reason
