"""Receivers: one saved or deleted row, one announcement, whoever wrote it."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from patients.announcements import announce_created, announce_deleted, announce_updated
from patients.models import Patient


@receiver(post_save, sender=Patient, dispatch_uid="announce_saved_patient")
def announce_saved(
    instance: Patient,
    created: bool,
    raw: bool = False,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    """Announce a saved patient; a fixture being loaded (`raw`) is not an admission."""
    if raw:
        return
    if created:
        announce_created(instance)
    else:
        announce_updated(instance.as_written(update_fields))


@receiver(post_delete, sender=Patient, dispatch_uid="announce_deleted_patient")
def announce_removed(instance: Patient, **_: Any) -> None:
    announce_deleted(instance)
