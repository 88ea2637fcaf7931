"""The table that says which disease category a reason belongs to; no database here."""

from collections.abc import Iterator
from pathlib import Path

from patients.importers.csvfile import BadRow, CsvFile, ImportFailed

COLUMNS = ("snomed_code", "icd10_chapter")
# "Factors influencing health status and contact with health services": the chapter for an
# encounter without a disease, such as a check-up.
DEFAULT_CHAPTER = "XXI"


def read_chapters(path: Path, known: set[str]) -> dict[str, str]:
    """Return the chapter of each SNOMED CT code in the table at `path`.

    Args:
        path: a CSV file with the columns snomed_code and icd10_chapter.
        known: the codes of the disease categories there are.

    Raises ImportFailed, with every fault and its line, for a table that is not wholly sound.
    """
    chapters: dict[str, str] = {}
    faults = [str(fault) for fault in _fill(chapters, CsvFile(path, COLUMNS), known)]
    if faults:
        raise ImportFailed("\n".join(faults))
    return chapters


def _fill(chapters: dict[str, str], table: CsvFile, known: set[str]) -> Iterator[BadRow]:
    for row in table.rows():
        if isinstance(row, BadRow):
            yield row
            continue
        line, (code, chapter) = row[0], (cell.strip() for cell in row[1])
        if not code:
            yield table.bad(line, "snomed_code is blank")
        elif chapter not in known:
            yield table.bad(line, f"{chapter!r}, the chapter of {code}, is no disease category")
        elif chapters.setdefault(code, chapter) != chapter:
            yield table.bad(line, f"{code} is in another chapter further up")
