"""Handing an import to whoever runs it: Celery's workers, or a thread of this process.

With Redis as the broker it is a worker (`celery -A server worker`), and the message stays
in the queue until the import is done. The embedded default has no broker: the task runs in
a daemon thread, one import after the other, and ends with the server.
"""

import logging
import threading

from django.conf import settings
from django.db import connections
from django.utils import timezone
from kombu.exceptions import OperationalError

from live.errors import Unavailable
from patients.imports.models import ImportRun
from patients.imports.progress import has_workers
from patients.tasks import import_patients

logger = logging.getLogger(__name__)

_one_at_a_time = threading.Lock()


def hand_over(run: ImportRun) -> None:
    """Have `run` carried out, and return at once; raise Unavailable where the broker is away."""
    if not has_workers():
        threading.Thread(target=_run_here, args=(run.pk,), name="import", daemon=True).start()
        return
    try:
        import_patients.delay(run.pk)
    except OperationalError:
        raise Unavailable("The import cannot be handed to a worker just now: try again.") from None


def _run_here(pk: int) -> None:
    try:
        while not _one_at_a_time.acquire(timeout=settings.IMPORT_SILENCE_SECONDS / 4):
            waiting = ImportRun.objects.filter(pk=pk, state=ImportRun.State.WAITING)
            waiting.update(alive_at=timezone.now())
        try:
            import_patients.apply(args=[pk])
        finally:
            _one_at_a_time.release()
    except Exception as error:
        logger.error("An import was not run: %s", type(error).__name__)
    finally:
        connections.close_all()
