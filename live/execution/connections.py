"""Relay connections whose page has a bound, and is read without counting all there is."""

import sys
from typing import Any

import graphene
from django.db.models import QuerySet
from graphene_django import DjangoConnectionField
from graphql_relay import get_offset_with_default

from live import metrics
from live.conf import conf
from live.errors import BadInput
from live.execution.resolvers import from_memory
from live.execution.selection import selects
from live.log import store

# Among a page's arguments, what of the connection is asked for. No client's argument is
# called so: GraphQL's names have no blank.
_ASKED = "asked for"
_NOT_ALWAYS = ("totalCount", "pageInfo", "position")


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
    after, before = (_offset(arguments, name) for name in ("after", "before"))
    if before is not None and after is not None and before <= after:
        # Nothing is between them, for which graphene-django raises ValueError.
        arguments.update(first=0, last=None, before=None)
    if arguments.get("first") is None and arguments.get("last") is None:
        arguments["first"] = conf.MAX_PAGE_SIZE


def _offset(arguments: dict[str, Any], name: str) -> int | None:
    """Return the place in the list that a cursor stands for, None without the argument."""
    if not arguments.get(name):
        return None
    offset = get_offset_with_default(arguments[name], -1)
    if offset < 0:
        raise BadInput(f"{name} is not a cursor of this list.")
    return offset


class Rows:
    """The rows that a page needs, which graphene-django takes for the list: it ends with them.

    Where more is asked for than the page, one row follows it, so that graphene-django knows
    that there are more.

    Args:
        queryset: the list.
        page: its arguments, checked by `check_page`; with `first`, without `last`.
        more: whether it is asked if there are more.
    """

    def __init__(self, queryset: QuerySet[Any], page: dict[str, Any], more: bool) -> None:
        start = get_offset_with_default(page.get("after"), -1) + 1 + (page.get("offset") or 0)
        before = get_offset_with_default(page.get("before"), sys.maxsize)
        # What no database takes for an offset is beyond the end all the same.
        self._start = start = min(start, sys.maxsize // 2)
        end = min(start + page["first"] + more, before)
        self._rows = list(queryset[start:end])

    def __len__(self) -> int:
        return self._start + len(self._rows)

    def __getitem__(self, from_start: slice) -> list[Any]:
        return self._rows


class PositionedConnection(graphene.relay.Connection):
    """A Relay connection that tells from where to subscribe to what changes after its rows."""

    class Meta:
        abstract = True

    position = graphene.String(
        required=True,
        description="The event log's end before the rows were read: subscribe after it, and "
        "nothing falls between.",
    )

    @staticmethod
    @from_memory
    def resolve_position(root: Any, info: graphene.ResolveInfo) -> str:
        position: str = root.position
        return position


class BoundedConnectionField(DjangoConnectionField):
    """A DjangoConnectionField that refuses a bad page with an error a client can read.

    It counts all there is only for `last`, and where `totalCount` is asked for. Without
    that, the connection's `length` is None.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # None switches graphene-django's own bound off, which is an assertion.
        super().__init__(*args, **{"max_limit": None, **kwargs})

    @classmethod
    def connection_resolver(cls, *given: Any, **arguments: Any) -> Any:
        """Refuse what graphene-django asserts before it asks for the rows."""
        if arguments.get("before") and arguments.get("offset"):
            raise BadInput("before and offset cannot be used together.")
        return super().connection_resolver(*given, **arguments)

    @classmethod
    def resolve_queryset(cls, connection: Any, queryset: Any, info: Any, args: Any) -> Any:
        """Check the page before anything is read."""
        check_page(args)
        args[_ASKED] = {name for name in _NOT_ALWAYS if selects(info, name)}
        return super().resolve_queryset(connection, queryset, info, args)

    @classmethod
    def resolve_connection(
        cls, connection: Any, args: Any, iterable: Any, max_limit: int | None = None
    ) -> Any:
        """Read the page, and count where that is needed."""
        asked = args.pop(_ASKED)
        # Before the rows: what is written between the two is in the rows and in an event.
        position = store.position() if "position" in asked else None
        counts = "totalCount" in asked or args.get("last") is not None
        if counts or not isinstance(iterable, QuerySet):
            page = super().resolve_connection(connection, args, iterable, max_limit)
        else:
            rows = Rows(iterable, args, more="pageInfo" in asked)
            page = super().resolve_connection(connection, args, rows, max_limit)
            page.iterable, page.length = iterable, None
        page.position = position
        return page
