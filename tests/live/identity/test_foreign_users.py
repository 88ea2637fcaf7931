"""A socket whose user is no user, by a resolver's mistake: it alone is closed."""

import graphene
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from live.concurrency.scheduler import Scheduler
from live.execution.resolvers import from_memory
from live.fanout import housekeeping
from live.fanout.housekeeping import Crowd
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription
from tests.live.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)


class NotAUser:
    is_authenticated = True

    def __init__(self, pk):
        self.pk = pk


# What the resolver gives, the last of it.
given: list[object] = []
# No row has these keys: a socket looks for it, and is nobody's from then on, as after a log-out.
BEYOND = "a user with a key beyond the database's"
KEYED = "an object with a key"
FOREIGN = {
    "an object": NotAUser("Ada Lovelace"),
    KEYED: NotAUser(10**9),
    "a text": "Ada Lovelace",
    "a user with a text as key": User(pk="Ada Lovelace"),
    BEYOND: User(pk=10**30),
    "a user with a key that has no hash": User(pk=["Ada Lovelace"]),
}


class OnNothing(Subscription):
    """What keeps a socket open."""

    word = graphene.String()

    @staticmethod
    @from_memory
    def publish(payload, info):
        return None


class Query(graphene.ObjectType):
    become = graphene.Boolean()

    @staticmethod
    async def resolve_become(root, info):
        info.context.user = given[-1]
        return True


class Subscriptions(graphene.ObjectType):
    on_nothing = OnNothing.Field()


class Consumer(LiveConsumer):
    schema = graphene.Schema(query=Query, subscription=Subscriptions)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", sorted(FOREIGN.keys() - {BEYOND, KEYED}))
async def test_a_foreign_object_as_user_ends_its_own_socket_only(visitor, caplog, kind):
    given.append(FOREIGN[kind])
    application = Consumer.as_asgi()
    async with (
        Wire(application, visitor) as before,
        Wire(application, visitor) as bad,
        Wire(application, visitor) as after,
    ):
        await bad.start("{ become }")
        assert (await bad.ended()).code == 4500
        others = [before, after]
        for other in others:
            assert await other.subscribe("subscription { onNothing { word } }") == []
        # They are still looked at: those whose user has gone are closed.
        await sync_to_async(User.objects.filter(pk=visitor.pk).update)(is_active=False)
        assert [(await other.ended()).code for other in others] == [4403, 4403]
    assert "Ada" not in caplog.text


@pytest.mark.parametrize("kind", FOREIGN)
async def test_the_look_at_identities_passes_over_a_foreign_one(visitor, kind):
    """Asked for together, and nothing else looks at them meanwhile."""
    sockets = [Looked(user) for user in (visitor, FOREIGN[kind], visitor)]
    await sync_to_async(User.objects.filter(pk=visitor.pk).update)(is_active=False)
    await housekeeping._check_identities(Crowd(Scheduler(), sockets))
    assert [socket.told for socket in sockets] == [["changed"], ["failed"], ["changed"]]


class Looked:
    """What the look at identities sees of a socket."""

    def __init__(self, user):
        self.scope, self.told = {"user": user}, []

    def rights_changed(self, user_ids):
        self.told.append("changed")

    def fail(self, error):
        self.told.append("failed")
