"""One schema of the apps' parts."""

import graphene

from careteam.schema.mutations import CareTeamMutations
from careteam.schema.queries import CareTeamQueries
from careteam.schema.subscriptions import CareTeamSubscriptions
from live.execution.schema import LogQueries
from patients.schema.imports import ImportMutations, ImportQueries, ImportSubscriptions
from patients.schema.mutations import PatientMutations
from patients.schema.queries import PatientQueries
from patients.schema.subscriptions import PatientSubscriptions
from server.accounts import AccountMutations, AccountQueries


class Query(
    LogQueries, AccountQueries, PatientQueries, CareTeamQueries, ImportQueries, graphene.ObjectType
):
    """What can be asked."""


class Mutation(
    AccountMutations, PatientMutations, CareTeamMutations, ImportMutations, graphene.ObjectType
):
    """What can be changed."""


class Subscription(
    PatientSubscriptions, CareTeamSubscriptions, ImportSubscriptions, graphene.ObjectType
):
    """What can be watched; only over a WebSocket."""


schema = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscription)
