"""Settings that the environment has in a form of its own, with errors that name the variable."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


def json_object(env: environ.Env, name: str) -> dict[str, Any]:
    """Return the JSON object in the variable `name`, {} where it is not set.

    Raises ImproperlyConfigured where it is something else.
    """
    try:
        value = env.json(name, default={})
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f'{name} must be a JSON object, such as {{"NAME": 5}}.')
    return value


def database(env: environ.Env, name: str, default: str) -> dict[str, Any]:
    """Return Django's settings of the database whose address is in the variable `name`.

    Raises ImproperlyConfigured, without the address, where it is none.
    """
    try:
        found: dict[str, Any] = env.db(name, default=default)
    except ValueError:  # its text may quote the password
        found = {}
    if not found.get("ENGINE"):
        raise ImproperlyConfigured(
            f"{name} is no address of a database, such as postgres://USER:PASSWORD@HOST/NAME."
        )
    return found
