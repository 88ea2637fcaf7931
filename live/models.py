"""What the engine stores: access tokens, and the event log."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from live.saving import AtomicSave


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    """Tokens by what they still open."""

    def valid(self, now: datetime | None = None) -> "AccessTokenQuerySet":
        """Return the tokens that open something at `now`, by default the present.

        That is: not revoked, not expired, and their user is active.
        """
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=now or timezone.now())
        return self.filter(unexpired, revoked_at=None, user__is_active=True)


class AccessToken(AtomicSave):
    """What lets a program without cookies act as a user; the secret itself is not kept."""

    class State(models.TextChoices):
        VALID = "valid", _("valid")
        EXPIRED = "expired", _("expired")
        REVOKED = "revoked", _("revoked")

    LABEL_LENGTH = 100

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="access_tokens",
        verbose_name=_("user"),
    )
    label = models.CharField(
        _("label"), max_length=LABEL_LENGTH, blank=True, help_text=_("What uses the token.")
    )
    # The secret's SHA-256 in hexadecimal. Tokens are found by it, so its index compares.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(
        _("expires"), null=True, blank=True, help_text=_("Empty: never.")
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(
        _("last used"), null=True, blank=True, help_text=_("To within an hour.")
    )

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        # Stands in logs and in Django's repr(): neither may hold the digest.
        return f"access token {self.pk}"

    @property
    def state(self) -> "AccessToken.State":
        """What the token by itself opens; an inactive user's opens nothing all the same."""
        if self.revoked_at is not None:
            return self.State.REVOKED
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return self.State.EXPIRED
        return self.State.VALID


class Log(models.Model):
    """The event log's counter: one row, made when it is first needed (see live.log.store).

    Numbers are given without holes, in the order of the commits: see live.log.numbering.
    """

    ONLY = 1  # the row's key

    # Tells this log's cursors from those of another: a restored backup gets a new one.
    epoch = models.PositiveBigIntegerField()
    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"event log, {self.last} events"


class LoggedEvent(models.Model):
    """One record of the log, as live.log.records packs it, with its number."""

    number = models.PositiveBigIntegerField(primary_key=True)
    packed = models.BinaryField()
    written_at = models.DateTimeField(default=timezone.now)
    # What the event is about: when that is gone or hidden, the payloads are taken out by it.
    subject = models.CharField(max_length=100, null=True, editable=False)  # noqa: DJ001  no subject
    # What `packed` is then.
    emptied = models.BinaryField(null=True)

    class Meta:
        ordering = ("number",)
        indexes = [
            models.Index(
                fields=["subject"],
                condition=models.Q(subject__isnull=False),
                name="logged_event_subject",
            )
        ]

    def __str__(self) -> str:
        # Stands in logs: nothing of the record.
        return f"event {self.number}"


class PendingEvent(models.Model):
    """One record that was written and has no number yet: see live.log.numbering_after_commit.

    The columns are those of live.log.entry.Entry.
    """

    packed = models.BinaryField()
    written_at = models.DateTimeField(default=timezone.now)
    subject = models.CharField(max_length=100, null=True, editable=False)  # noqa: DJ001  no subject
    emptied = models.BinaryField(null=True)
    forgets = models.BooleanField(default=False)
    urgent = models.BooleanField(default=False)

    class Meta:
        ordering = ("-urgent", "id")

    def __str__(self) -> str:
        # Stands in logs: nothing of the record.
        return f"pending event {self.pk}"
