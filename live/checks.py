"""Django system checks: `manage.py check` runs them, and so does every server when it starts."""

import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from live.conf import AT_MOST, CHOICES, DEFAULTS, OFF_AT_ZERO
from live.settings_check import problems


@register("live")
def check_settings(**_: Any) -> list[CheckMessage]:
    """Check `settings.LIVE`."""
    given = getattr(settings, "LIVE", {})
    found = problems(
        "LIVE", given, DEFAULTS, choices=CHOICES, off_at_zero=OFF_AT_ZERO, at_most=AT_MOST
    )
    return [Error(text, hint="live/conf.py has them all.", id="live.E001") for text in found]


@register(Tags.database)
def check_databases(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that each of `databases` (aliases) is there, and has all migrations."""
    if sys.argv[1:2] == ["migrate"]:
        return []  # it is what mends it
    return [message for alias in databases or () for message in _database(alias)]


def _database(alias: str) -> list[CheckMessage]:
    try:
        connections[alias].ensure_connection()
        executor = MigrationExecutor(connections[alias])
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        # Its text may have the user's name and the address.
        text = f"The database {alias!r} cannot be reached ({type(error).__name__})."
        return [Error(text, hint="Is it running, and is DATABASE_URL right?", id="live.E002")]
    if not missing:
        return []
    text = f"The database {alias!r} lacks {len(missing)} migrations."
    return [Error(text, hint="Run `python manage.py migrate`.", id="live.E003")]
