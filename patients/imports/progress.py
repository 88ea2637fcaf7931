"""How far an import is, as clients are shown it; no database here."""

import datetime
from typing import Any

from django.conf import settings

from patients.imports.models import ImportRun

State = ImportRun.State

STOPPED = "The server stopped in the middle. What was written stays; run it again to go on."


def progress_of(run: ImportRun, moment: datetime.datetime) -> dict[str, Any]:
    """Return what the stream and the query show of `run`, as it is to be seen at `moment`.

    An import whose worker gives no sign of life is `interrupted`, and a worker will take it
    up again; without workers (the embedded default) nobody will, and it has failed.
    """
    state, error = State(run.state), run.error or None
    if is_silent(run, moment):
        state = State.INTERRUPTED if has_workers() else State.FAILED
        error = None if has_workers() else STOPPED
    return {
        "state": state.value,
        "done": run.done,
        "total": run.total,
        "rejected": run.rejected,
        "created": run.created,
        "updated": run.updated,
        "unchanged": run.unchanged,
        "finished": state in (State.FINISHED, State.FAILED),
        "error": error,
    }


def is_silent(run: ImportRun, moment: datetime.datetime) -> bool:
    """Whether somebody should have given a sign of life, and did not."""
    in_hand = {State.CHECKING, State.WRITING}
    if not has_workers():
        in_hand.add(State.WAITING)  # the server itself has it from the beginning
    silence = (moment - run.alive_at).total_seconds()
    return run.state in in_hand and silence > settings.IMPORT_SILENCE_SECONDS


def has_workers() -> bool:
    """Whether Celery's workers run imports, and not the server's own process."""
    return not settings.CELERY_TASK_ALWAYS_EAGER
