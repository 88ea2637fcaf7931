"""Chat rooms and their messages, notices, and who is present where."""

import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careteam.text import LONGEST_FOLDED, BadText, room_key, tidy_name
from live.saving import AtomicSave

LONGEST_ROOM_NAME = 200


class Room(AtomicSave):
    """A chat room: made by whoever writes to it first, under the name that they gave it."""

    name = models.CharField(_("name"), max_length=LONGEST_ROOM_NAME)
    # All spellings of the name have the same: see careteam.text.room_key.
    key = models.CharField(
        max_length=LONGEST_FOLDED * LONGEST_ROOM_NAME, unique=True, editable=False
    )
    closed = models.BooleanField(
        _("closed"),
        default=False,
        help_text=_("Only superusers may read it: what it was named after is gone."),
    )

    class Meta:
        verbose_name = _("chat room")
        verbose_name_plural = _("chat rooms")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write it, as Django's, with the key of its name."""
        self.key = room_key(self.name)
        if kwargs.get("update_fields"):
            kwargs["update_fields"] = {*kwargs["update_fields"], "key"}
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Raise ValidationError on what is no room's name, or is another room's."""
        try:
            self.name = tidy_name(self.name, LONGEST_ROOM_NAME)
        except BadText:
            raise ValidationError({"name": _("This can be no room's name.")}) from None
        if Room.objects.filter(key=room_key(self.name)).exclude(pk=self.pk).exists():
            raise ValidationError({"name": _("Another room has this name.")})


class ChatMessage(AtomicSave):
    """What somebody wrote in a room."""

    room = models.ForeignKey(
        Room, models.CASCADE, related_name="messages", verbose_name=_("chat room")
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="chat_messages",
        verbose_name=_("author"),
    )
    # As it was shown then: a message does not change with its author's name, nor go with them.
    sender = models.CharField(_("sender"), max_length=150)
    text = models.TextField(_("text"))
    sent_at = models.DateTimeField(_("sent"), default=timezone.now)

    # The name of the socket that it came by, which is not told of it; known while it is announced.
    channel_name: str | None = None

    class Meta:
        verbose_name = _("chat message")
        verbose_name_plural = _("chat messages")
        ordering = ("id",)
        indexes = [
            models.Index(fields=["room", "-id"], name="chatmessage_newest"),
            models.Index(fields=["author", "-sent_at"], name="chatmessage_of_author"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="chatmessage_text_not_blank")
        ]

    def __str__(self) -> str:
        # Stands in logs and titles, which may not quote what was written.
        return f"chat message {self.pk}"


class Notice(models.Model):
    """What staff tell everybody: a draft until it is published, and then as it was published."""

    title = models.CharField(_("title"), max_length=200)
    body = models.TextField(_("body"), blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="notices",
        verbose_name=_("author"),
    )
    published_at = models.DateTimeField(_("published"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        # Drafts first, for those who see them.
        ordering = (models.F("published_at").desc(nulls_first=True), "-id")
        permissions = [("publish_notice", "Can publish notice")]

    def __str__(self) -> str:
        return self.title


# ---- presence


class PresenceLease(models.Model):
    """A server process, or rather its loop, that says it is alive: renewed while it is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # The database's own time, since the clocks of several machines differ.
    renewed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()  # the server's own: nobody is given rights to it

    def __str__(self) -> str:
        return f"lease {self.pk}"


class PresenceRoom(models.Model):
    """A room in which somebody is present; its row is the lock of who joins and leaves."""

    key = models.CharField(max_length=LONGEST_FOLDED * LONGEST_ROOM_NAME, unique=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"presence in a room {self.pk}"


class Presence(models.Model):
    """A subscription by which somebody is present in a room; one person may have several."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    room = models.ForeignKey(PresenceRoom, models.CASCADE, related_name="present")
    # No foreign key: who was present by a lease that is gone has yet to be announced.
    lease_id = models.UUIDField(db_index=True)
    # Who it is: a user's key, or a socket's of somebody without a name.
    person = models.CharField(max_length=64)
    name = models.CharField(max_length=150)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["room", "person"], name="presence_person")]

    def __str__(self) -> str:
        return f"presence {self.pk}"
