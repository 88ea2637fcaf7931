"""What is printed: results on stdout, everything else on stderr."""

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from example_client.errors import OutputLost


@dataclass(frozen=True)
class Event:
    """Something that happened to a patient.

    Args:
        kind: NEW, UPDATED, DISCHARGED or DELETED.
        message: the server's sentence about it, in the server's choice of language.
        patient: GraphQL's Patient, None where the server has none to show.
        received_at: when it came in; aware.
        cursor: its place among the events of its subscription.
    """

    kind: str
    message: str
    patient: dict[str, Any] | None
    received_at: datetime
    cursor: str


def printable(text: Any) -> str:
    """Return `text` on one line, its control characters escaped.

    A name comes from somebody's data entry, and must neither forge a line nor steer a terminal.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def event_line(event: Event) -> str:
    """Return a line for people: local time, kind, category, name, id."""
    time = event.received_at.astimezone().strftime("%H:%M:%S")
    if event.patient is None:
        return f"{time}  {event.kind:<10}  {printable(event.message)}"
    patient = event.patient
    category = printable(patient["category"]["code"])
    return (
        f"{time}  {event.kind:<10}  {category:<5}  {printable(patient['name'])}"
        f"  {printable(patient['id'])}"
    )


def event_object(event: Event) -> dict[str, Any]:
    """Return what `--json` prints of an event."""
    return {
        "receivedAt": event.received_at.isoformat(timespec="milliseconds"),
        "kind": event.kind,
        "message": event.message,
        "patient": event.patient,
        "cursor": event.cursor,
    }


def patient_line(patient: dict[str, Any]) -> str:
    """Return a line for people: id, admission (local time), status, category, name, details."""
    admitted = datetime.fromisoformat(patient["admittedAt"]).astimezone()
    columns = [
        f"{patient['id']:<20}",
        admitted.strftime("%Y-%m-%d %H:%M"),
        f"{patient['status'].lower():<10}",
        f"{patient['category']['code']:<5}",
        patient["name"],
    ]
    details = [patient["birthDate"], patient["reason"], patient["externalId"]]
    return "  ".join(printable(column) for column in [*columns, *filter(None, details)])


PATIENT_HEADER = "  ".join(
    [f"{'ID':<20}", f"{'ADMITTED':<16}", f"{'STATUS':<10}", f"{'CAT.':<5}", "NAME, BIRTH, REASON"]
)


def import_lines(run: dict[str, Any]) -> list[str]:
    """Return lines for people: each rejected row that is listed, and how many are not."""
    rows = [f"{row['file']}, line {row['line']}: {row['reason']}" for row in run["rejects"]]
    more = run["rejected"] - len(rows)
    return [*rows, *([f"{more} more rows were rejected"] if more > 0 else [])]


def import_summary(run: dict[str, Any]) -> str:
    """Return what an import did, in a line."""
    counts = ("created", "updated", "unchanged", "rejected")
    return ", ".join(f"{run[name]} {name}" for name in counts)


class Output:
    """Prints results on stdout, for people or as a JSON object a line, and status on stderr.

    Every line is flushed, for whoever reads a pipe. Methods raise OutputLost where the
    line cannot be written.
    """

    def __init__(
        self, *, as_json: bool, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self._as_json = as_json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    def event(self, event: Event) -> None:
        """Print what happened."""
        self._result(json_line(event_object(event)) if self._as_json else event_line(event))

    def settle(self) -> None:
        """Have what was printed outlive a power failure, where stdout is a file."""
        with _writing(self._stdout):
            number = self._stdout.fileno()
            if stat.S_ISREG(os.fstat(number).st_mode):
                os.fsync(number)

    def patient(self, patient: dict[str, Any]) -> None:
        """Print a patient."""
        self._result(json_line(patient) if self._as_json else patient_line(patient))

    def patient_header(self) -> None:
        """Name the columns of `patient`, for people; on stderr, so that a pipe has rows only."""
        if not self._as_json:
            self.status(PATIENT_HEADER)

    def category(self, category: dict[str, Any]) -> None:
        """Print a disease category."""
        line = f"{category['code']:<5}  {category['name']}"
        self._result(json_line(category) if self._as_json else printable(line))

    def import_run(self, run: dict[str, Any]) -> None:
        """Print what became of an import; people read the rejected rows apart from the result."""
        if not self._as_json:
            for line in import_lines(run):
                self.status(line)
        self._result(json_line(run) if self._as_json else import_summary(run))

    def status(self, text: str) -> None:
        """Print what goes on; it is no result, and so never in a pipe."""
        with _writing(self._stderr):
            print(printable(text), file=self._stderr, flush=True)

    def error(self, lines: Iterable[str]) -> None:
        """Print why it failed."""
        for line in lines:
            self.status(line)

    def _result(self, line: str) -> None:
        with _writing(self._stdout):
            print(line, file=self._stdout, flush=True)


def json_line(value: dict[str, Any]) -> str:
    """Return `value` as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


@contextmanager
def _writing(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # What is left in the buffer would fail once more, with a traceback, at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise OutputLost(f"cannot write the output: {error.strerror}") from error


def use_any_character(*, as_json: bool) -> None:
    """Let stdout and stderr take every name: JSON is UTF-8, a terminal gets escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if as_json and hasattr(sys.stdout, "reconfigure"):
        # Only half a surrogate pair is no UTF-8; its escape is the one that JSON has.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
