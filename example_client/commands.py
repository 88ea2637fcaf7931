"""The commands that ask once: each sends one operation and prints its answer."""

import argparse
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from typing import Any

from example_client import operations
from example_client.errors import BadFields, Refused, Unreachable
from example_client.output import Output
from example_client.session import Client


async def patients(client: Client, arguments: argparse.Namespace, output: Output) -> None:
    """Print the patients that match, the newest admission first."""
    variables = without_none(
        category=arguments.category,
        status=arguments.status and arguments.status.upper(),
        search=arguments.search,
        first=arguments.first,
    )
    page = (await client.execute(operations.PATIENTS, variables))["patients"]
    found = [edge["node"] for edge in page["edges"] if edge and edge["node"]]
    if found:
        output.patient_header()
    for patient in found:
        output.patient(patient)
    output.status(f"{len(found)} of {page['totalCount']} patients")


async def categories(client: Client, arguments: argparse.Namespace, output: Output) -> None:
    """Print the disease categories that the user may see."""
    for category in (await client.execute(operations.CATEGORIES))["diseaseCategories"]:
        output.category(category)


async def create(client: Client, arguments: argparse.Namespace, output: Output) -> None:
    """Register a patient and print it."""
    values = without_none(
        name=arguments.name,
        category=arguments.category,
        birthDate=arguments.birth_date and arguments.birth_date.isoformat(),
        sex=arguments.sex,
        reason=arguments.reason,
        externalId=arguments.external_id,
    )
    output.patient(await _written(client, "createPatient", operations.CREATE, values))


async def discharge(client: Client, arguments: argparse.Namespace, output: Output) -> None:
    """Discharge a patient and print it."""
    values = without_none(id=arguments.id, dischargedAt=arguments.at and arguments.at.isoformat())
    output.patient(await _written(client, "dischargePatient", operations.DISCHARGE, values))


Command = Callable[[Client, argparse.Namespace, Output], Awaitable[None]]


async def run_with_hint(
    command: Command, client: Client, arguments: argparse.Namespace, output: Output
) -> None:
    """Run `command`; where it is refused and its category is none, name the nearest ones."""
    try:
        await command(client, arguments, output)
    except Refused:
        given = getattr(arguments, "category", None)
        if given is not None:
            await _name_the_nearest(client, given, output)
        raise


async def _name_the_nearest(client: Client, given: str, output: Output) -> None:
    known = (await client.execute(operations.CATEGORIES))["diseaseCategories"]
    names = {category["code"]: category["name"] for category in known}
    if given in names:
        return  # it was refused for something else
    near = get_close_matches(given.upper(), names, n=3, cutoff=0.4)
    by_name = [code for code, name in names.items() if given.lower() in name.lower()]
    for code in dict.fromkeys([*near, *by_name]):
        output.status(f"did you mean {code}  {names[code]}")
    output.status("`categories` lists all")


async def _written(
    client: Client, field: str, document: str, values: dict[str, Any]
) -> dict[str, Any]:
    """Run a mutation and return its patient; raise BadFields where it wrote nothing."""
    try:
        payload = (await client.execute(document, {"input": values}))[field]
    except Unreachable as error:
        # Sent, perhaps done: a caller that simply repeats it might register a patient twice.
        error.args = (f"{error}; whether the server did it is not known",)
        raise
    if payload["errors"]:
        raise BadFields(payload["errors"])
    patient: dict[str, Any] = payload["patient"]
    return patient


def without_none(**values: Any) -> dict[str, Any]:
    """Return the values that were given: a null would mean something else than no value."""
    return {name: value for name, value in values.items() if value is not None}
