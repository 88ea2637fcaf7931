"""Celery's tasks; each is safe to run again."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings
from django.db import DatabaseError, connections

from patients.imports import selectors
from patients.imports.runner import InOtherHands, perform

logger = logging.getLogger(__name__)


@shared_task(
    bind=True,
    # Told to the broker when it is done: what a killed worker leaves, another takes up, and
    # finds the patients that are written by their external ids.
    acks_late=True,
    reject_on_worker_lost=True,
    ignore_result=True,
    max_retries=None,
)
def import_patients(task: Any, pk: int) -> None:
    """Carry out the import with the primary key `pk`; its result is in its row."""
    try:
        perform(pk)
        return
    except InOtherHands:
        why = "another worker may have it"
    except DatabaseError as error:
        # Its text may quote a patient, and Celery would log it.
        why = type(error).__name__
    if task.request.is_eager:
        logger.error("Import %s was left: %s", pk, why)
        return
    logger.warning("Import %s is tried again later: %s", pk, why)
    raise task.retry(countdown=settings.IMPORT_SILENCE_SECONDS)


@worker_ready.connect
def take_up_unfinished(**_: Any) -> None:
    """Queue again what has not finished: its worker's machine, or the queue itself, may be lost.

    A message too many does nothing: an import that is in hand, or done, is left alone.
    """
    try:
        for pk in selectors.unfinished():
            import_patients.delay(pk)
    except DatabaseError as error:
        logger.error("Unfinished imports were not looked for: %s", type(error).__name__)
    finally:
        # A child that is forked later would share them.
        connections.close_all()
