"""The tables of docs/protocol.md, from which the tests of the protocols read their cases."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "protocol.md"
NOTHING = "–"
ANYTHING = "…"

# What the word in the column "before" stands for, in frames of the client.
ON_NEW_PATIENT = {"query": "subscription { onNewPatient { message } }"}


@dataclass(frozen=True)
class Case:
    """One row: what the client sends at once, and everything that the server answers."""

    name: str
    subprotocol: str
    before: str
    sends: list[str | bytes]
    answers: list[Any]
    code: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.subprotocol}-{self.name}"


def message_cases() -> list[Case]:
    """Return the rows about messages, of both subprotocols."""
    return [
        Case(name, subprotocol, before, _frames(sends), _messages(answers), *_close(close))
        for name, subprotocol, before, sends, answers, close in _rows("case", columns=6)
    ]


def operation_cases() -> list[Case]:
    """Return the rows about operations."""
    return [
        Case(name, subprotocol, "acknowledged", _frames(sends), _messages(answers))
        for name, subprotocol, sends, answers in _rows("case", columns=4)
    ]


def close_codes() -> list[list[str]]:
    """Return the rows about close codes: code, name, when, what graphql-ws' client does."""
    return _rows("code", columns=4)


def matches(actual: Any, expected: Any) -> bool:
    """Whether `actual` is what a cell says, in which "…" stands for any value."""
    if expected == ANYTHING:
        return True
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and actual.keys() == expected.keys()
            and all(matches(actual[key], value) for key, value in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(map(matches, actual, expected))
        )
    return type(actual) is type(expected) and actual == expected


def _rows(first: str, columns: int) -> list[list[str]]:
    """Return the cells of all tables whose heading starts with `first` and has `columns`."""
    rows: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\|\n)+", PAGE.read_text(), re.MULTILINE):
        heading, _, *body = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
        )
        if heading[0] == first and len(heading) == columns:
            rows += body
    assert rows, f"{PAGE} has no table with {first} and {columns} columns"
    assert all(len(row) == columns for row in rows), "a cell has a | in it"
    return rows


def _spans(cell: str) -> list[str]:
    if cell == NOTHING:
        return []
    parts = cell.split("<br>")
    assert all(re.fullmatch("`[^`]+`", part) for part in parts), cell
    return [part.strip("`") for part in parts]


def _frames(cell: str) -> list[str | bytes]:
    return [
        bytes.fromhex(span.removeprefix("binary:")) if span.startswith("binary:") else span
        for span in _spans(cell)
    ]


def _messages(cell: str) -> list[Any]:
    return [json.loads(span) for span in _spans(cell)]


def _close(cell: str) -> tuple[int | None, str]:
    if cell == NOTHING:
        return None, ""
    code, _, reason = cell.partition(" ")
    return int(code), reason
