"""A server that cannot do its work does not start: it says why, in a line each."""

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, run_checks
from django.db import connections

# gunicorn takes this for "do not try again", where it would start workers without end.
EXIT_CODE = 3


def require_sound(*checks: Callable[[], list[CheckMessage]]) -> None:
    """End the process, saying what to do, where settings or the database are not as needed.

    With `CHECK_AT_START` off nothing is looked at.

    Args:
        checks: what else must pass.
    """
    if not settings.CHECK_AT_START:
        return
    # In a thread of its own: uvicorn imports the application within its event loop, where
    # Django lets nobody ask the database.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(_look, checks).result()
    errors = [message for message in found if isinstance(message, Error)]
    if errors:
        sys.stderr.write("".join(map(_line, errors)))
        sys.exit(EXIT_CODE)


def _look(checks: Iterable[Callable[[], list[CheckMessage]]]) -> list[CheckMessage]:
    try:
        found = run_checks(tags=["live", "careteam"])
        found += [message for check in checks for message in check()]
        return found + run_checks(tags=[Tags.database], databases=["default"])
    finally:
        connections.close_all()


def _line(message: CheckMessage) -> str:
    return f"Wardcast does not start: {message.msg} {message.hint or ''}".rstrip() + "\n"
