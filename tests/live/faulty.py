"""A schema whose every hook and resolver raises what a test tells it to, quoting a patient."""

import enum

import graphene
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError

from live.log.payload import PayloadError
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription

NAME = "Jane Roe-Doe"


class Quoting(Exception):
    """Quotes a patient in every way that an exception can."""

    def __init__(self):
        super().__init__(NAME)
        self.patient = NAME
        self.add_note(NAME)

    def __repr__(self):
        return NAME


def chained():
    """Raise an exception that quotes, because of another that does."""
    try:
        raise KeyError(NAME)
    except KeyError as cause:
        raise RuntimeError(NAME) from cause


class Colour(enum.Enum):
    """Has no member that a patient is called."""

    RED = 1


# What a hook raises: name → (a function that raises, the code that the client sees).
FAULTS = {
    "exception": (Quoting, "INTERNAL"),
    "integrity": (lambda: IntegrityError(f"Failing row contains (1, {NAME})."), "INTERNAL"),
    "data": (lambda: DataError(f"value {NAME} out of range"), "INTERNAL"),
    "validation": (lambda: ValidationError({"name": NAME}), "INTERNAL"),
    "assertion": (lambda: AssertionError(NAME), "INTERNAL"),
    "timeout": (lambda: TimeoutError(NAME), "INTERNAL"),
    "payload": (lambda: PayloadError(NAME), "INTERNAL"),
    "group": (lambda: ExceptionGroup(NAME, [ValueError(NAME)]), "INTERNAL"),
    "missing": (lambda: ObjectDoesNotExist(NAME), "NOT_FOUND"),
    "denied": (lambda: PermissionDenied(NAME), "FORBIDDEN"),
    "operational": (lambda: OperationalError(f"no server for {NAME}"), "UNAVAILABLE"),
    "interface": (lambda: InterfaceError(f"closed after {NAME}"), "UNAVAILABLE"),
}
NOW = {"fault": "exception"}


def fail():
    """Raise what NOW says."""
    raise FAULTS[NOW["fault"]][0]()


def fail_at(place):
    """Raise it if NOW says this place."""
    if NOW.get("place") == place:
        fail()


class Query(graphene.ObjectType):
    """Fails, but for `ok`."""

    ok = graphene.Int()
    sync = graphene.String()
    coroutine = graphene.String()
    chained = graphene.String()
    number = graphene.Int()
    colour = graphene.Enum.from_enum(Colour)()
    date = graphene.Date()
    listed = graphene.List(graphene.String)
    required = graphene.NonNull(graphene.String)

    resolve_ok = staticmethod(lambda root, info: 1)
    resolve_sync = staticmethod(lambda root, info: fail())
    resolve_chained = staticmethod(lambda root, info: chained())
    resolve_number = staticmethod(lambda root, info: NAME)
    resolve_colour = staticmethod(lambda root, info: NAME)
    resolve_date = staticmethod(lambda root, info: [NAME])
    resolve_listed = staticmethod(lambda root, info: 7)

    @staticmethod
    async def resolve_coroutine(root, info):
        fail()


class Fail(graphene.Mutation):
    """Fails."""

    ok = graphene.Boolean()

    @staticmethod
    def mutate(root, info):
        fail()


class Send(graphene.Mutation):
    """Broadcasts what cannot be packed."""

    ok = graphene.Boolean()

    @staticmethod
    def mutate(root, info):
        OnThing.broadcast(payload={"patient": {NAME: Quoting()}, "name": [NAME, Quoting()]})


class Mutation(graphene.ObjectType):
    """Fails, both."""

    fail = Fail.Field()
    send = Send.Field()


class OnThing(Subscription):
    """Fails where NOW says."""

    value = graphene.String()

    @staticmethod
    def authorize(root, info):
        fail_at("authorize")

    @staticmethod
    def audience(info):
        fail_at("audience")
        return 1

    @staticmethod
    async def subscribe(root, info):
        fail_at("subscribe")

    @staticmethod
    def publish(payload, info):
        fail_at("publish")
        return OnThing(value=payload)

    @staticmethod
    def unsubscribed(root, info):
        fail_at("unsubscribed")


class Subscriptions(graphene.ObjectType):
    """The one above."""

    on_thing = OnThing.Field()


SCHEMA = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscriptions)
THINGS = "subscription { onThing { value } }"


class Consumer(LiveConsumer):
    """Fails where NOW says."""

    schema = SCHEMA

    async def on_connect(self, payload):
        fail_at("on_connect")

    async def on_operation(self, op_id, payload):
        fail_at("on_operation")
