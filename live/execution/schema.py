"""The engine's part of Query."""

from typing import Any

import graphene

from live.errors import Unauthenticated
from live.log import store


class LogQueries(graphene.ObjectType):
    """What can be asked of the event log."""

    position = graphene.String(
        required=True,
        description="The log's end: a subscription after it gets what happens from now on.",
    )

    @staticmethod
    def resolve_position(root: Any, info: graphene.ResolveInfo) -> str:
        if not info.context.user.is_authenticated:
            raise Unauthenticated()
        return store.position()
