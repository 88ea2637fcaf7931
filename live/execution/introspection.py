"""What everybody may ask for, and what only some may: introspection."""

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from graphql import GraphQLError

from live.conf import conf
from live.errors import Forbidden


def may_introspect(user: Any) -> bool:
    """Whether `user` (a Django user or None) may read the schema; see LIVE["INTROSPECTION"]."""
    allowed = conf.INTROSPECTION or ("everyone" if settings.DEBUG else "staff")
    if allowed == "staff":
        return bool(user is not None and user.is_active and user.is_staff)
    return allowed == "everyone"


# What graphql-core adds to the error about a name that the schema does not have.
_SUGGESTIONS = re.compile(r"(?<=[.!?]) Did you mean .*\?$", re.DOTALL)


def told_to(user: Any, errors: Sequence[GraphQLError]) -> Sequence[GraphQLError]:
    """Return `errors` as `user` may read them: without names of a schema that is closed to it."""
    return errors if may_introspect(user) else [_without_suggestions(each) for each in errors]


def _without_suggestions(error: GraphQLError) -> GraphQLError:
    is_the_documents = isinstance(error.original_error, GraphQLError | None)
    if not is_the_documents or not _SUGGESTIONS.search(error.message):
        return error
    text = _SUGGESTIONS.sub("", error.message)
    places = error.nodes, error.source, error.positions, error.path
    return GraphQLError(text, *places, extensions=error.extensions)


def check_introspection(introspects: bool, user: Any) -> None:
    """Raise Forbidden where a document introspects the schema and `user` may not."""
    if introspects and not may_introspect(user):
        raise Forbidden("Introspection is for staff only.")
