"""Reads: who may import, and whose import it is."""

from typing import Any

from live.auth import require_permission
from live.errors import Forbidden, NotFound
from patients.imports.models import ImportRun
from patients.selectors import hidden_categories


def require_import_right(*, user: Any) -> None:
    """Raise Unauthenticated or Forbidden unless `user` may import patients.

    An import may write to every category, and bring a patient from one to another: who
    does not see them all could so reach patients that are hidden.
    """
    require_permission(user, "patients.add_patient")
    require_permission(user, "patients.change_patient")
    if not user.is_staff:
        raise Forbidden()
    if hidden_categories(user=user):
        raise Forbidden("An import may write to every disease category; some are not for you.")


def import_of(*, user: Any, pk: int) -> ImportRun:
    """Return an import that `user` started.

    Raises NotFound for another's as for one that does not exist.
    """
    require_import_right(user=user)
    run = ImportRun.objects.filter(pk=pk, started_by=user).first()
    if run is None:
        raise NotFound("There is no such import.")
    return run


def unfinished() -> list[int]:
    """Return the keys of the imports that were started and have not ended, the oldest first."""
    started = ImportRun.objects.exclude(state=ImportRun.State.UPLOADING)
    return list(started.filter(finished_at=None).order_by("pk").values_list("pk", flat=True))
