"""Relay connections whose page has a bound."""

from typing import Any

from graphene_django import DjangoConnectionField
from graphql_relay import cursor_to_offset

from live import metrics
from live.conf import conf
from live.errors import BadInput


def check_page(arguments: dict[str, Any]) -> None:
    """Check a connection's `first`, `last`, `after` and `before`; give it a `first` without either.

    Raises BadInput that names the argument. (graphene-django's own checks are assertions,
    and it takes a cursor it cannot read for the beginning.)
    """
    for name in ("first", "last", "offset"):
        if (arguments.get(name) or 0) < 0:
            raise BadInput(f"{name} may not be negative.")
    for name in ("first", "last"):
        if (arguments.get(name) or 0) > conf.MAX_PAGE_SIZE:
            metrics.limits.labels(limit="page_size").inc()
            raise BadInput(f"{name} may be {conf.MAX_PAGE_SIZE} at most.")
    for name in ("after", "before"):
        if arguments.get(name) and cursor_to_offset(arguments[name]) is None:
            raise BadInput(f"{name} is not a cursor of this list.")
    if arguments.get("first") is None and arguments.get("last") is None:
        arguments["first"] = conf.MAX_PAGE_SIZE


class BoundedConnectionField(DjangoConnectionField):
    """A DjangoConnectionField that refuses a bad page with an error a client can read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # None switches graphene-django's own bound off, which is an assertion.
        super().__init__(*args, **{"max_limit": None, **kwargs})

    @classmethod
    def resolve_queryset(cls, connection: Any, queryset: Any, info: Any, args: Any) -> Any:
        """Check the page before anything is read."""
        check_page(args)
        return super().resolve_queryset(connection, queryset, info, args)
