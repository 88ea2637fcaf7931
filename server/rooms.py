"""Chat rooms that are named after disease categories: for those who may see the category only."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from careteam.services import rooms_close
from live.identity.revocation import rights_changed
from patients import selectors
from patients.models import DiseaseCategory


def closed_rooms(user: Any) -> Collection[str]:
    """Return the codes and names of the categories that `user` may not see.

    The hook that settings.CARETEAM["ROOM_ACCESS"] names.
    """
    hidden = DiseaseCategory.objects.all()
    if user.has_perm(selectors.VIEW):
        hidden = hidden.filter(pk__in=selectors.hidden_categories(user=user))
    return _names(hidden)


def _names(categories: Any) -> set[str]:
    return {name for pair in categories.values_list("code", "name") for name in pair}


@receiver(pre_save, sender=DiseaseCategory, dispatch_uid="close_rooms_of_former_name")
def close_rooms_of_former_name(instance: DiseaseCategory, **_: Any) -> None:
    """A category gets another name: what was written under the former one stays closed."""
    before = _names(DiseaseCategory.objects.filter(pk=instance.pk))
    rooms_close(names=before, but={instance.code, instance.name})


@receiver(post_save, sender=DiseaseCategory, dispatch_uid="tell_category_saved")
def tell_category_saved(**_: Any) -> None:
    """Another room may be named after a category now: everybody looks again."""
    rights_changed(None)


@receiver(post_delete, sender=DiseaseCategory, dispatch_uid="close_rooms_of_category")
def close_rooms_of_category(instance: DiseaseCategory, **_: Any) -> None:
    """A category is gone: what was written in its room stays closed."""
    rooms_close(names={instance.code, instance.name})
    rights_changed(None)
