"""Receivers: one saved or deleted row, one announcement, whoever wrote it."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver

from live.revocation import rights_changed
from patients.announcements import announce_created, announce_deleted, announce_updated
from patients.models import DiseaseCategory, Patient


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


@receiver(m2m_changed, sender=DiseaseCategory.viewers.through, dispatch_uid="tell_viewers")
def tell_viewers_changed(action: str, **_: Any) -> None:
    """A category was opened or closed to a group: everybody looks again."""
    if action.startswith("post_"):
        rights_changed(None)
