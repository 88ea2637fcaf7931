"""Receivers: one thing happened, one announcement, whoever did it."""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from careteam.announcements import announce_message, announce_presence
from careteam.attendance import presence_changed
from careteam.models import ChatMessage, Room
from careteam.schema.subscriptions import subject_of
from live.identity.revocation import rights_changed
from live.log.append import forget_all


@receiver(post_save, sender=ChatMessage, dispatch_uid="announce_written_message")
def announce_written(instance: ChatMessage, created: bool, raw: bool = False, **_: Any) -> None:
    """Announce a new message; one from a fixture being loaded (`raw`) is not new."""
    if created and not raw:
        announce_message(instance)


@receiver(post_delete, sender=ChatMessage, dispatch_uid="forget_deleted_message")
def forget_deleted(instance: ChatMessage, **_: Any) -> None:
    """Take what was written out of the log, in the transaction that deletes it."""
    forget_all(subject_of(instance.pk))


@receiver(post_save, sender=Room, dispatch_uid="tell_room_changed")
def tell_room_changed(created: bool, **_: Any) -> None:
    """A room was opened, closed or renamed: everybody looks again."""
    if not created:
        rights_changed(None)


@receiver(presence_changed, dispatch_uid="announce_changed_presence")
def announce_changed_presence(change: str, room: str, name: str, **_: Any) -> None:
    announce_presence(change=change, room=room, name=name)
