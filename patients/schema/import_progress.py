"""What is told of an import while a worker runs it."""

from typing import Any

import graphene
from graphql_relay import from_global_id, to_global_id

from live.errors import BadInput
from live.execution.resolvers import from_memory
from live.subscription import Subscription
from patients.imports import selectors
from patients.imports.models import ImportRun

TYPE_NAME = "ImportRun"

ImportState = graphene.Enum.from_enum(ImportRun.State, name="ImportState")


def import_id(pk: int) -> str:
    """Return an import's global id."""
    return to_global_id(TYPE_NAME, pk)


def import_pk(global_id: str) -> int:
    """Return the primary key in an import's global id; raise BadInput on any other string."""
    try:
        type_name, key = from_global_id(global_id)
        if type_name == TYPE_NAME:
            return int(key)
    except ValueError:
        pass
    raise BadInput("The id is not that of an import.")


def group_of(pk: int) -> str:
    """Return the group of those who watch an import."""
    return f"import:{pk}"


class Progress:
    """The fields that tell how far an import is."""

    state = graphene.Field(ImportState, required=True)
    done = graphene.Int(required=True, description="Patients committed.")
    total = graphene.Int(description="Patients to write; null until everything is checked.")
    rejected = graphene.Int(required=True, description="Rows that cannot be imported.")
    created = graphene.Int(required=True)
    updated = graphene.Int(required=True)
    unchanged = graphene.Int(required=True, description="Already as in the files.")
    finished = graphene.Boolean(required=True, description="It has ended, well or badly.")
    error = graphene.String(description="Why it failed; null for one that has not.")


class OnImportProgress(Progress, Subscription):
    """How far an import is, to the user who started it: the newest state, not each.

    What was told before the subscription stood is in `importRun`: subscribe first, then ask.
    """

    # At most once: a bar wants the newest, and the import's row has the end.
    durable = False
    notification_queue_limit = 1

    class Arguments:
        id = graphene.ID(required=True)

    @staticmethod
    def authorize(root: Any, info: graphene.ResolveInfo, id: str) -> None:
        selectors.import_of(user=info.context.user, pk=import_pk(id))

    @staticmethod
    def audience(info: graphene.ResolveInfo, **arguments: Any) -> tuple[()]:
        # The group says who hears it; all of them read the same.
        return ()

    @staticmethod
    @from_memory
    def subscribe(root: Any, info: graphene.ResolveInfo, id: str) -> list[str]:
        return [group_of(import_pk(id))]

    @staticmethod
    @from_memory
    def publish(payload: dict[str, Any], info: graphene.ResolveInfo, id: str) -> "OnImportProgress":
        return OnImportProgress(**{**payload, "state": ImportRun.State(payload["state"])})
