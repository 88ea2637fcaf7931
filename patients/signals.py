"""Receivers of Django's signals, whoever wrote: announcements, rights, the first categories."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import ProtectedError, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete
from django.dispatch import receiver

from live.identity.revocation import rights_changed
from patients.announcements import announce_created, announce_deleted, announce_updated
from patients.icd10 import CHAPTERS
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


@receiver(pre_delete, sender=Group, dispatch_uid="protect_last_viewers")
def protect_last_viewers(instance: Group, origin: Any = None, **_: Any) -> None:
    """Refuse to delete the last groups that see a category: without any, everybody would.

    Raises ProtectedError, which holds the categories.
    """
    together = isinstance(origin, QuerySet) and origin.model is Group
    deleted = list(origin.values_list("pk", flat=True)) if together else [instance.pk]
    staying = Group.objects.exclude(pk__in=deleted)
    seen = DiseaseCategory.objects.filter(viewers=instance)
    opened: set[Any] = set(seen.exclude(viewers__in=staying))
    if opened:
        raise ProtectedError("These categories would be open to everybody.", opened)


def load_chapters(using: str = "default", **kwargs: Any) -> None:
    """Make the 22 chapters where there is no category yet (a receiver of post_migrate).

    Only then: a hospital that deleted or renamed some keeps what it has.
    """
    categories = DiseaseCategory.objects.using(using)
    if not categories.exists():
        categories.bulk_create(
            DiseaseCategory(code=code, name=name, block_range=blocks)
            for code, name, blocks in CHAPTERS
        )
