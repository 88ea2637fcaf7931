"""Which patients a list shows."""

import django_filters
from django.db.models import Q, QuerySet

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
        """Every word must be found somewhere."""
        for word in value.split():
            queryset = queryset.filter(
                Q(name__icontains=word) | Q(reason__icontains=word) | Q(external_id__iexact=word)
            )
        return queryset
