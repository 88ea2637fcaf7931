"""Django's admin for staff; made for a hundred thousand patients."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.paginator import Paginator
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from live.errors import BadInput
from live.history import HistoryAdmin
from patients import search, selectors
from patients.discharging import DischargeActions
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
    """Filters by the categories that the user sees, by short names."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        hidden = selectors.hidden_categories(user=request.user)
        visible = DiseaseCategory.objects.exclude(pk__in=hidden)
        return [(category.pk, category.label) for category in visible]


def _minute(at: datetime) -> str:
    """Return a time to the minute, in one order in every country; it breaks after the date only."""
    date, time = f"{timezone.localtime(at):%Y-%m-%d %H:%M}".split()
    text = '<time datetime="{}"><span>{}</span> <span>{}</span></time>'
    return format_html(text, at.isoformat(), date, time)


@admin.register(DiseaseCategory)
class DiseaseCategoryAdmin(HistoryAdmin):
    """The categories that patients are admitted under."""

    list_display = ("code", "in_words", "block_range")
    search_fields = ("code", "name")
    filter_horizontal = ("viewers",)

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def in_words(self, category: DiseaseCategory) -> str:
        """Return the name in the reader's language."""
        return category.shown_name


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
class PatientAdmin(DischargeActions, HistoryAdmin):
    """Patients; every change made here is announced, as any other is."""

    list_display = ("name", "in_category", "status", "admitted", "discharged", "known_as")
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

    class Media:
        css = {"all": ["patients/admin.css"]}

    @admin.display(description=gettext_lazy("category"), ordering="category")
    def in_category(self, patient: Patient) -> str:
        """Show the code and a short name; the full one is a tooltip."""
        category = patient.category
        return format_html('<span title="{}">{}</span>', category.shown_name, category.label)

    @admin.display(description=gettext_lazy("admitted"), ordering="admitted_at")
    def admitted(self, patient: Patient) -> str:
        return _minute(patient.admitted_at)

    @admin.display(description=gettext_lazy("discharged"), ordering="discharged_at")
    def discharged(self, patient: Patient) -> str | None:
        return _minute(patient.discharged_at) if patient.discharged_at else None

    @admin.display(description=gettext_lazy("external id"), ordering="external_id")
    def known_as(self, patient: Patient) -> str:
        """Show the id; the style sheet cuts a long one off, of which the tooltip has all."""
        return format_html('<span title="{0}">{0}</span>', patient.external_id)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Patient], search_term: str
    ) -> tuple[QuerySet[Patient], bool]:
        """Search as the API does; say what is wrong with a search that is too long."""
        try:
            return search.matching(queryset, search_term), False
        except BadInput:
            most = {"words": search.MOST_WORDS, "characters": search.MOST_CHARACTERS}
            text = _("A search may have %(words)d words and %(characters)d characters at most.")
            self.message_user(request, text % most, messages.ERROR)
            return queryset.none(), False

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
