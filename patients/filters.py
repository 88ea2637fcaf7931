"""Which patients a list shows."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from live.errors import BadInput
from patients import search
from patients.models import Patient


class PatientFilter(django_filters.FilterSet):
    """`category` (a code), `status`, and `search` in name, reason and external id."""

    category = django_filters.CharFilter("category__code")
    status = django_filters.ChoiceFilter(choices=Patient.Status.choices)
    search = django_filters.CharFilter(method="filter_search")

    class Meta:
        model = Patient
        fields = ("category", "status", "search")

    def filter_search(
        self, queryset: QuerySet[Patient], name: str, value: str
    ) -> QuerySet[Patient]:
        """Every word must be found somewhere; raise BadInput for a search that is too long."""
        return search.matching(queryset, value)


def filtered(patients: QuerySet[Patient], data: dict[str, Any]) -> QuerySet[Patient]:
    """Return those of `patients` that `data` asks for, by the names of PatientFilter.

    Raises BadInput that names what cannot be used. (Making the form for it costs as much as
    reading twenty rows: not worth it where nothing is asked for.)
    """
    found = PatientFilter(data, queryset=patients)
    if not found.is_valid():
        # It would leave out the filter whose value cannot be used, and show all.
        raise BadInput(f"{', '.join(found.errors)} cannot be used.")
    return found.qs
