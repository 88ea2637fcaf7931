"""Synthea's CSV export (its "CSV File Data Dictionary") as patients; no database here.

For each patient one small tuple is kept, of the encounter that counts. So memory grows with
the patients, not with their encounters, of which a real export has some forty each.
"""

import datetime
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from patients.importers.csvfile import Advance, BadRow, CsvFile, ImportFailed, Row

PATIENT_COLUMNS = ("Id", "BIRTHDATE", "FIRST", "LAST", "GENDER")
ENCOUNTER_COLUMNS = (
    *("PATIENT", "START", "STOP", "ENCOUNTERCLASS"),
    *("DESCRIPTION", "REASONCODE", "REASONDESCRIPTION"),
)
# In these classes a patient lies in the hospital or in its emergency room.
ACUTE_CLASSES = {"inpatient", "emergency", "urgentcare"}
# FHIR's administrative gender for Synthea's GENDER; anything else is "unknown".
SEXES = {"M": "male", "F": "female", "O": "other"}
# As long as the model's fields.
NAME_LENGTH, REASON_LENGTH, ID_LENGTH = 200, 500, 100

LAST_MOMENT = datetime.datetime.max.replace(tzinfo=datetime.UTC)


class InvalidRow(ValueError):
    """What is wrong with a row; the text names the column, not its value."""


@dataclass(frozen=True, slots=True)
class Person:
    """A row of patients.csv."""

    external_id: str
    name: str
    birth_date: datetime.date | None
    sex: str


class Encounter(NamedTuple):
    """A row of encounters.csv; of two, the greater one counts (the line breaks a tie)."""

    is_acute: bool
    start: datetime.datetime
    line: int
    stop: datetime.datetime | None = None
    reason_code: str = ""
    reason: str = ""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """A person, and the encounter from which status and times are taken."""

    person: Person
    encounter: Encounter


def parse_patient(values: Row, today: datetime.date) -> Person:
    """Return the person in `values` of PATIENT_COLUMNS; raise InvalidRow."""
    external_id, birth_date, first, last, gender = values
    name = f"{first.strip()} {last.strip()}".strip()
    if not name:
        raise InvalidRow("FIRST and LAST are blank")
    return Person(
        external_id=_text("Id", external_id, ID_LENGTH),
        name=_text("FIRST with LAST", name, NAME_LENGTH),
        birth_date=_birth_date(birth_date.strip(), today),
        sex=SEXES.get(gender.strip().upper(), "unknown"),
    )


def parse_encounter(line: int, values: Row) -> Encounter:
    """Return the encounter in `values` of ENCOUNTER_COLUMNS; raise InvalidRow."""
    _, start, stop, kind, description, code, reason = values
    begin = _time("START", start)
    end = _time("STOP", stop) if stop.strip() else None
    if end and end < begin:
        raise InvalidRow("STOP is before START")
    column = "REASONDESCRIPTION" if reason.strip() else "DESCRIPTION"
    text = _text(column, reason.strip() or description, REASON_LENGTH)
    # The same few reasons are in thousands of rows: interned, each is held once.
    return Encounter(_is_acute(kind), begin, line, end, sys.intern(code.strip()), sys.intern(text))


def parse_worst_case(line: int, values: Row) -> Encounter:
    """Return a bad row as the latest encounter that it might have been.

    If that one would count, nobody knows whether the patient is in the hospital.
    """
    try:
        start = _time("START", values[1])
    except InvalidRow:
        start = LAST_MOMENT
    return Encounter(_is_acute(values[3]), start, line, is_bad=True)


class SyntheaExport:
    """The patients of a folder with patients.csv and encounters.csv.

    Args:
        folder: Synthea's `output/csv`.
        today: birth dates after it are refused.

    First exhaust `check`, then read `admissions`. Both raise ImportFailed for a file that
    cannot be read as a whole.
    """

    def __init__(self, folder: Path, today: datetime.date) -> None:
        self._today = today
        self._patients = CsvFile(folder / "patients.csv", PATIENT_COLUMNS)
        self._encounters = CsvFile(folder / "encounters.csv", ENCOUNTER_COLUMNS)
        self._lines: dict[str, int] = {}
        self._refused: set[str] = set()
        self._latest: dict[str, Encounter] = {}
        self.count = 0  # of admissions, once `check` is exhausted
        self._stamps = [self._stamp(file) for file in (self._patients, self._encounters)]

    @property
    def paths(self) -> list[Path]:
        """The files it reads."""
        return [self._patients.path, self._encounters.path]

    @property
    def size(self) -> int:
        """The bytes that `check` reads."""
        return sum(size for size, _ in self._stamps)

    def check(self, advance: Advance | None = None) -> Iterator[BadRow]:
        """Read everything; yield what cannot be imported, each row as it is come upon.

        `advance` is called with numbers of bytes read, of `size` in all.
        """
        yield from self._check_patients(advance)
        yield from self._check_encounters(advance)
        yield from self._check_admissions()

    def admissions(self) -> Iterator[Admission]:
        """Yield the patients that `check` found nothing wrong with, in the file's order."""
        for row in self._patients.rows():
            if isinstance(row, BadRow):
                continue
            line, values = row
            external_id = values[0].strip()
            encounter = self._latest.get(external_id)
            is_good = self._lines.get(external_id) == line and external_id not in self._refused
            if is_good and encounter and not encounter.is_bad:
                yield Admission(parse_patient(values, self._today), encounter)

    def require_unchanged(self) -> None:
        """Raise ImportFailed if a file was written since: what was checked is not there now."""
        for file, stamp in zip((self._patients, self._encounters), self._stamps, strict=True):
            if self._stamp(file) != stamp:
                raise ImportFailed(f"{file.name} was changed while it was read")

    def _stamp(self, file: CsvFile) -> tuple[int, int]:
        try:
            status = file.path.stat()
        except OSError as error:
            raise ImportFailed(f"{file.path}: {error.strerror}") from None
        return status.st_size, status.st_mtime_ns

    def _check_patients(self, advance: Advance | None) -> Iterator[BadRow]:
        for row in self._patients.rows(advance):
            if isinstance(row, BadRow):
                yield row
                continue
            line, values = row
            external_id = values[0].strip()
            if external_id in self._lines:
                first = self._lines[external_id]
                yield self._patients.bad(line, f"Id is that of line {first} already")
                continue
            if external_id:
                self._lines[external_id] = line
            try:
                parse_patient(values, self._today)
            except InvalidRow as error:
                self._refused.add(external_id)
                yield self._patients.bad(line, str(error))

    def _check_encounters(self, advance: Advance | None) -> Iterator[BadRow]:
        latest = self._latest
        for row in self._encounters.rows(advance):
            if isinstance(row, BadRow):
                yield row
                continue
            line, values = row
            patient = values[0].strip()
            if patient not in self._lines:
                yield self._encounters.bad(line, _no_patient(patient))
                continue
            try:
                encounter = parse_encounter(line, values)
            except InvalidRow as error:
                encounter = parse_worst_case(line, values)
                yield self._encounters.bad(line, str(error))
            if patient not in latest or latest[patient] < encounter:
                latest[patient] = encounter

    def _check_admissions(self) -> Iterator[BadRow]:
        for external_id, line in self._lines.items():
            if external_id in self._refused:
                continue
            encounter = self._latest.get(external_id)
            if encounter is None:
                yield self._patients.bad(line, "has no encounter, so no time of admission")
            elif encounter.is_bad:
                reason = f"the encounter that counts is bad (line {encounter.line})"
                yield self._patients.bad(line, reason)
            else:
                self.count += 1


def _is_acute(kind: str) -> bool:
    return kind.strip().lower() in ACUTE_CLASSES


def _no_patient(patient: str) -> str:
    return "PATIENT is no Id of patients.csv" if patient else "PATIENT is blank"


def _text(column: str, value: str, length: int) -> str:
    value = value.strip()
    if column == "Id" and not value:
        raise InvalidRow("Id is blank")
    if len(value) > length:
        raise InvalidRow(f"{column} is longer than {length} characters")
    if "\0" in value:
        raise InvalidRow(f"{column} holds a NUL character")
    return value


def _birth_date(value: str, today: datetime.date) -> datetime.date | None:
    try:
        birth_date = datetime.date.fromisoformat(value) if value else None
    except ValueError:
        raise InvalidRow("BIRTHDATE is not a date (YYYY-MM-DD)") from None
    if birth_date and birth_date > today:
        raise InvalidRow("BIRTHDATE is in the future")
    return birth_date


def _time(column: str, value: str) -> datetime.datetime:
    """Return a time in UTC, which the data dictionary says a time without a zone is in."""
    try:
        time = datetime.datetime.fromisoformat(value.strip())
        return (
            time.replace(tzinfo=datetime.UTC) if not time.tzinfo else time.astimezone(datetime.UTC)
        )
    except (ValueError, OverflowError):
        raise InvalidRow(f"{column} is not a time (YYYY-MM-DDTHH:MM:SSZ)") from None
