"""One schema of the apps' parts."""

import graphene

from patients.schema.mutations import PatientMutations
from patients.schema.queries import PatientQueries
from patients.schema.subscriptions import PatientSubscriptions
from server.accounts import AccountMutations, AccountQueries


class Query(AccountQueries, PatientQueries, graphene.ObjectType):
    """What can be asked."""


class Mutation(AccountMutations, PatientMutations, graphene.ObjectType):
    """What can be changed."""


class Subscription(PatientSubscriptions, graphene.ObjectType):
    """What can be watched; only over a WebSocket."""


schema = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscription)
