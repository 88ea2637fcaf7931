"""What is kept of an import that a worker runs."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ImportRun(models.Model):
    """One import: where its files come from, how far it is, and what became of it.

    It holds nothing of a patient; rejected rows are named by file, line and column.
    """

    class State(models.TextChoices):
        """Where an import stands."""

        UPLOADING = "uploading", _("uploading")
        WAITING = "waiting", _("waiting for a worker")
        CHECKING = "checking", _("checking")
        WRITING = "writing", _("writing")
        # Never stored: no sign of life came from its worker, see patients.imports.progress.
        INTERRUPTED = "interrupted", _("interrupted")
        FINISHED = "finished", _("finished")
        FAILED = "failed", _("failed")

    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    directory = models.CharField(
        _("directory"),
        max_length=255,
        blank=True,
        help_text=_("Below the import root; empty: it was uploaded."),
    )
    chapters = models.CharField(
        _("table of chapters"),
        max_length=255,
        blank=True,
        help_text=_("The table of reasons' chapters."),
    )
    skip_bad = models.BooleanField(_("bad rows are skipped"), default=False)

    state = models.CharField(
        _("state"), max_length=11, choices=State.choices, default=State.WAITING
    )
    done = models.PositiveIntegerField(_("done"), default=0, help_text=_("Patients committed."))
    total = models.PositiveIntegerField(
        _("in all"), null=True, help_text=_("Patients to write; unknown until all is checked.")
    )
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    rejected = models.PositiveIntegerField(
        _("rejected"), default=0, help_text=_("Rows that cannot be imported.")
    )
    rejects = models.JSONField(
        _("rejected rows"), default=list, help_text=_("The first rejected rows.")
    )
    error = models.TextField(_("error"), blank=True)

    # Each attempt of a worker has its number: one that was given up may still be alive.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    # A sign of life of whoever has the import in hand.
    alive_at = models.DateTimeField(_("last sign of life"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("import")
        verbose_name_plural = _("imports")

    def __str__(self) -> str:
        return f"{self.pk}"


class UploadedPart(models.Model):
    """A part of an uploaded file; gone when the import has ended."""

    class File(models.TextChoices):
        """Which of the import's files."""

        PATIENTS = "patients.csv"
        ENCOUNTERS = "encounters.csv"
        CHAPTERS = "chapters.csv"

    run = models.ForeignKey(ImportRun, models.CASCADE, related_name="parts")
    file = models.CharField(max_length=14, choices=File.choices)
    # Bytes, since PostgreSQL's text has no NUL; the importer is who finds fault with one.
    content = models.BinaryField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.file} {self.pk}"
