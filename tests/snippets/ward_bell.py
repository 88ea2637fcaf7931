"""The README's subscription of one's own; tests/snippets/test_ward_bell.py runs it."""

# snippet
import graphene

from live.auth import require_login
from live.subscription import Subscription


class OnBell(Subscription):
    """A bell rang on a ward."""

    text = graphene.String(required=True)

    class Arguments:
        ward = graphene.String(required=True)

    @staticmethod
    def authorize(root, info, ward):  # raises for those who may not; asked again later
        require_login(info.context.user)

    @staticmethod
    def subscribe(root, info, ward):  # the groups to join
        return [ward]

    @staticmethod
    def publish(payload, info, ward):  # the notification, or None to skip it
        return OnBell(text=payload["text"])


class RingBell(graphene.Mutation):
    """Ring the bell."""

    ok = graphene.Boolean(required=True)

    class Arguments:
        ward = graphene.String(required=True)
        text = graphene.String(required=True)

    @staticmethod
    def mutate(root, info, ward, text):
        OnBell.broadcast(group=ward, payload={"text": text})  # sent when it commits
        return RingBell(ok=True)


# end of snippet


class Query(graphene.ObjectType):
    """GraphQL wants one."""

    ok = graphene.Boolean()


class Mutation(graphene.ObjectType):
    """What can be rung."""

    ring_bell = RingBell.Field()


class Subscriptions(graphene.ObjectType):
    """What can be heard."""

    on_bell = OnBell.Field()


schema = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscriptions)
