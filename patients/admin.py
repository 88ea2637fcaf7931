"""Django's admin for staff; made for a hundred thousand patients."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import ProtectedError, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from patients import selectors, services
from patients.imports import admin as imports_admin  # noqa: F401  registers itself
from patients.models import DiseaseCategory, Patient

# Nobody leafs through more pages than this makes, and it is counted in milliseconds.
COUNT_LIMIT = 10_000


class LimitedPaginator(Paginator):
    """Pages of the first COUNT_LIMIT rows: counting any more takes longer, the more there are."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return rows.order_by()[:COUNT_LIMIT].count()


class VisibleCategories(admin.RelatedFieldListFilter):
    """Filters by the categories that the user sees; the others' names are not offered."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        hidden = selectors.hidden_categories(user=request.user)
        return field.get_choices(
            include_blank=False,
            ordering=self.field_admin_ordering(field, request, model_admin),
            limit_choices_to=~Q(pk__in=hidden),
        )


@admin.register(DiseaseCategory)
class DiseaseCategoryAdmin(admin.ModelAdmin):
    """The categories that patients are admitted under."""

    list_display = ("code", "name", "block_range")
    search_fields = ("code", "name")
    filter_horizontal = ("viewers",)


admin.site.unregister(Group)


@admin.register(Group)
class ViewersAdmin(GroupAdmin):
    """Django's groups; one that alone sees a category is not deleted (see signals.py)."""

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Delete, or say which categories would be open to everybody."""
        try:
            return super().delete_view(request, *args, **kwargs)
        except ProtectedError as error:
            return self._refuse(request, error)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the list, whose action may delete too."""
        try:
            return super().changelist_view(request, *args, **kwargs)
        except ProtectedError as error:
            return self._refuse(request, error)

    def _refuse(self, request: HttpRequest, error: ProtectedError) -> HttpResponse:
        names = ", ".join(sorted(str(category) for category in error.protected_objects))
        text = _("Not deleted: these categories would be open to everybody: %(names)s")
        self.message_user(request, text % {"names": names}, messages.ERROR)
        return redirect("admin:auth_group_changelist")


@admin.register(Patient)
class PatientAdmin(admin.ModelAdmin):
    """Patients; every change made here is announced, as any other is."""

    list_display = ("name", "category", "status", "admitted_at", "discharged_at", "external_id")
    list_select_related = ("category",)
    list_filter = ("status", "admitted_at", "sex", ("category", VisibleCategories))
    search_fields = ("name", "external_id", "reason")
    search_help_text = gettext_lazy("Name, external id or reason")
    # What costs a pass over all patients each time a list is shown is off: the second count,
    # counts beside the filters, and a date hierarchy (the filter by admission uses an index).
    paginator = LimitedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("name", "birth_date", "sex", "external_id")}),
        (
            gettext_lazy("Stay"),
            {"fields": ("category", "reason", "status", "admitted_at", "discharged_at")},
        ),
        (gettext_lazy("Record"), {"fields": ("recorded_on",)}),
    )
    readonly_fields = ("recorded_on",)
    actions = ("discharge",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patient]:
        """Leave out the patients of categories that are restricted to others."""
        patients = super().get_queryset(request)
        hidden = selectors.hidden_categories(user=request.user)
        return patients.exclude(category__in=hidden) if hidden else patients

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the categories that the user sees."""
        if db_field.name == "category":
            hidden = selectors.hidden_categories(user=request.user)
            kwargs["queryset"] = DiseaseCategory.objects.exclude(pk__in=hidden)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, as Django's, and say so where it ends before the patients do."""
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context and context["cl"].result_count >= COUNT_LIMIT:
            assert isinstance(response, TemplateResponse)
            context["subtitle"] = _(
                "The first %(count)d are listed: search or filter for the others."
            ) % {"count": COUNT_LIMIT}
        return response

    @admin.action(description=gettext_lazy("Discharge selected patients"), permissions=["change"])
    def discharge(self, request: HttpRequest, queryset: QuerySet[Patient]) -> None:
        """Discharge those who are in the hospital, now; say how many were not."""
        discharged = skipped = refused = 0
        # The keys first: a row that is discharged may leave the selection under the cursor.
        for pk in list(queryset.values_list("pk", flat=True)):
            try:
                self._discharge_one(request, pk)
            except ValidationError as error:
                already = getattr(error, "code", None) == "discharged"
                skipped, refused = skipped + already, refused + (not already)
            else:
                discharged += 1
        self._report(request, discharged, skipped, refused)

    @transaction.atomic
    def _discharge_one(self, request: HttpRequest, pk: int) -> None:
        """Discharge a patient together with the line in the admin's history."""
        patient = services.patient_discharge(patient=Patient(pk=pk))
        self.log_change(request, patient, [{"changed": {"fields": ["status"]}}])

    def _report(self, request: HttpRequest, discharged: int, skipped: int, refused: int) -> None:
        if discharged:
            text = ngettext(
                "%d patient was discharged.", "%d patients were discharged.", discharged
            )
            self.message_user(request, text % discharged, messages.SUCCESS)
        if skipped:
            text = ngettext(
                "%d was skipped: already discharged.",
                "%d were skipped: already discharged.",
                skipped,
            )
            self.message_user(request, text % skipped, messages.WARNING)
        if refused:
            text = ngettext(
                "%d could not be discharged: admitted in the future, or the record has a fault.",
                "%d could not be discharged: admitted in the future, or the record has a fault.",
                refused,
            )
            self.message_user(request, text % refused, messages.ERROR)
