"""The imports in Django's admin: to look at, and to clear away."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from patients.imports.models import ImportRun
from patients.imports.progress import progress_of


@admin.register(ImportRun)
class ImportRunAdmin(admin.ModelAdmin):
    """What was imported, by whom, and what became of it. Deleting one stops its worker."""

    list_display = ("started_at", "started_by", "directory", "present_state", "done", "total")
    list_select_related = ("started_by",)
    list_filter = ("state", "started_at")
    # Made by the import only.
    exclude = ("state", "attempt", "alive_at")
    readonly_fields = ("present_state", "started_at")

    @admin.display(description=gettext_lazy("state"))
    def present_state(self, run: ImportRun) -> Any:
        """Return the state as clients are shown it."""
        return ImportRun.State(progress_of(run, timezone.now())["state"]).label

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
