"""Small exports in Synthea's layout, made by tests."""

import csv
from pathlib import Path

PATIENTS = ["Id", "BIRTHDATE", "DEATHDATE", "FIRST", "LAST", "GENDER", "CITY"]
ENCOUNTERS = [
    *("Id", "START", "STOP", "PATIENT", "ENCOUNTERCLASS", "CODE", "DESCRIPTION"),
    *("REASONCODE", "REASONDESCRIPTION"),
]


def patient(external_id: str, **cells: str) -> dict[str, str]:
    """Return a row of patients.csv."""
    sound = {"BIRTHDATE": "1970-01-31", "FIRST": "Ann", "LAST": external_id.title(), "GENDER": "F"}
    return {"Id": external_id, **sound, **cells}


def encounter(external_id: str, **cells: str) -> dict[str, str]:
    """Return a row of encounters.csv, of the patient `external_id`."""
    sound = {
        "START": "2020-01-01T10:00:00Z",
        "STOP": "2020-01-02T10:00:00Z",
        "ENCOUNTERCLASS": "inpatient",
        "DESCRIPTION": "Hospital admission",
    }
    return {"Id": "e", "PATIENT": external_id, **sound, **cells}


def write_csv(path: Path, columns: list[str], rows: list[dict[str, str]], **options: str) -> None:
    """Write rows of cells by column; what a row lacks is empty."""
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        writer = csv.DictWriter(file, columns, restval="", **options)
        writer.writeheader()
        writer.writerows(rows)


def write_export(folder: Path, patients: list, encounters: list, **options: str) -> Path:
    """Write patients.csv and encounters.csv into `folder`, and return it."""
    folder.mkdir(exist_ok=True)
    write_csv(folder / "patients.csv", PATIENTS, patients, **options)
    write_csv(folder / "encounters.csv", ENCOUNTERS, encounters, **options)
    return folder
