"""Reads: who may see what."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import QuerySet

from live.auth import require_permission
from live.errors import BadInput
from patients.models import DiseaseCategory, Patient

VIEW = "patients.view_patient"


def patients_visible(*, user: Any) -> QuerySet[Patient]:
    """Return the patients that `user` may see, each with its category at hand.

    Raises Unauthenticated or Forbidden where the user may see none.
    """
    require_permission(user, VIEW)
    patients = Patient.objects.select_related("category")
    hidden = hidden_categories(user=user)
    return patients.exclude(category__in=hidden) if hidden else patients


def patient_visible(*, user: Any, pk: int) -> Patient | None:
    """Return one patient that `user` may see, None where there is no such patient."""
    return patients_visible(user=user).filter(pk=pk).first()


def categories_visible(*, user: Any) -> QuerySet[DiseaseCategory]:
    """Return the disease categories that `user` may choose from."""
    require_permission(user, VIEW)
    return DiseaseCategory.objects.exclude(pk__in=hidden_categories(user=user))


def hidden_categories(*, user: Any) -> frozenset[int]:
    """Return the keys of the categories that are restricted to groups without `user`.

    A superuser is in every group, as far as this goes.
    """
    if user.is_superuser:
        return frozenset()
    restricted = DiseaseCategory.objects.filter(viewers__isnull=False)
    return _closed_to(user, restricted.values_list("pk", "viewers"))


def _closed_to(user: Any, viewing: Iterable[tuple[int, int | None]]) -> frozenset[int]:
    """Return the keys of categories whose groups are all without `user`.

    `viewing` has a category's key with each of its groups', None for one without groups. Two
    plain queries cost a third of one with subqueries, and mostly the second is not needed.
    """
    groups: dict[int, set[int]] = {}
    for category, group in viewing:
        if group is not None:
            groups.setdefault(category, set()).add(group)
    if not groups or user.is_superuser:
        return frozenset()
    own = set(user.groups.values_list("pk", flat=True))
    return frozenset(category for category, viewers in groups.items() if not viewers & own)


def category_visible(*, user: Any, code: str) -> DiseaseCategory:
    """Return the disease category `code`; raise BadInput where `user` may choose no such one."""
    # PostgreSQL has no NUL, and psycopg raises an exception for it.
    found = categories_visible(user=user).filter(code=code) if "\0" not in code else None
    category = found.first() if found is not None else None
    if category is None:
        raise BadInput("There is no such disease category.")
    return category


class ViewingRights(NamedTuple):
    """What a user may see: whether any patients, and of which categories (codes) or not (keys)."""

    may_view: bool
    categories: frozenset[str]
    hidden: frozenset[int]


def viewing_rights(user: Any) -> ViewingRights:
    """Return what a logged-in user may see."""
    categories = DiseaseCategory.objects.order_by().values_list("pk", "viewers", "code")
    hidden = _closed_to(user, [(pk, group) for pk, group, _ in categories])
    codes = frozenset(code for pk, _, code in categories if pk not in hidden)
    return ViewingRights(user.has_perm(VIEW), codes, hidden)
