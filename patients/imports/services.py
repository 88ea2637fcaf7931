"""Writes: upload an import's files, and start it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone

from live.errors import BadInput
from patients.imports import background, selectors, sources
from patients.imports.models import ImportRun, UploadedPart

# Of one user: each may hold a thread of the server's, or files in the database.
MOST_UNFINISHED = 10
# What was uploaded and then forgotten, or left by a server that was stopped, is kept so long.
UPLOAD_LIFETIME = timedelta(days=1)

State = ImportRun.State


@transaction.atomic
def upload_part(*, user: Any, pk: int | None, file: UploadedPart.File, content: bytes) -> ImportRun:
    """Append `content` to a file of the upload `pk`; without one, begin a new upload.

    Raises Unauthenticated, Forbidden, NotFound, and BadInput beyond IMPORT_MAX_UPLOAD_BYTES.
    """
    selectors.require_import_right(user=user)
    run = _new_upload(user) if pk is None else _open_upload(user, pk)
    sizes = run.parts.aggregate(bytes=Sum(Length("content")))
    if (sizes["bytes"] or 0) + len(content) > settings.IMPORT_MAX_UPLOAD_BYTES:
        limit = settings.IMPORT_MAX_UPLOAD_BYTES
        raise BadInput(f"The upload is larger than {limit} bytes: put it below the import root.")
    run.parts.create(file=file, content=content)
    run.alive_at = timezone.now()
    run.save(update_fields=["alive_at"])
    return run


def _new_upload(user: Any) -> ImportRun:
    forget_old_uploads()
    _require_room(user)
    return ImportRun.objects.create(started_by=user, state=State.UPLOADING)


def _open_upload(user: Any, pk: int) -> ImportRun:
    """Return the upload, its row locked."""
    selectors.import_of(user=user, pk=pk)
    run = ImportRun.objects.select_for_update().filter(pk=pk, state=State.UPLOADING).first()
    if run is None:
        raise BadInput("This upload was started as an import already.")
    return run


def start_directory(*, user: Any, directory: str, chapters: str, skip_bad: bool) -> ImportRun:
    """Have a worker import a directory below IMPORT_ROOT.

    Args:
        directory: its name below the root.
        chapters: the name of a table of reasons' chapters in it, "" without one.
        skip_bad: write the good rows although there are bad ones.

    Raises Unauthenticated, Forbidden, BadInput, and Unavailable where no broker takes it.
    """
    selectors.require_import_right(user=user)
    sources.check_directory(directory, chapters)
    _require_room(user)
    run = ImportRun.objects.create(
        started_by=user, directory=directory, chapters=chapters, skip_bad=skip_bad
    )
    return _hand_over(run)


def start_upload(*, user: Any, pk: int, skip_bad: bool) -> ImportRun:
    """Have a worker import an upload; arguments and errors as `start_directory` has them."""
    selectors.require_import_right(user=user)
    with transaction.atomic():
        run = _open_upload(user, pk)
        sources.check_upload(run)
        run.state, run.skip_bad, run.alive_at = State.WAITING, skip_bad, timezone.now()
        run.save(update_fields=["state", "skip_bad", "alive_at"])
    return _hand_over(run)


def _hand_over(run: ImportRun) -> ImportRun:
    try:
        background.hand_over(run)
    except Exception:
        # Nobody will ever take it up.
        run.delete()
        raise
    return run


def _require_room(user: Any) -> None:
    unfinished = ImportRun.objects.filter(started_by=user, finished_at=None)
    if unfinished.filter(alive_at__gt=timezone.now() - UPLOAD_LIFETIME).count() >= MOST_UNFINISHED:
        raise BadInput(f"{MOST_UNFINISHED} of your imports have not finished yet.")


def forget_old_uploads() -> None:
    """Delete uploaded files that nobody has done anything with for a day."""
    old = timezone.now() - UPLOAD_LIFETIME
    UploadedPart.objects.filter(run__alive_at__lt=old).delete()
    ImportRun.objects.filter(state=State.UPLOADING, alive_at__lt=old).delete()
