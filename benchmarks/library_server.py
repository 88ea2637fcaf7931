# ruff: noqa: E402  the apps must be loaded before what uses them is imported
"""The plain library, used as its README has it, on the same models, types and sessions.

It checks no permission and offers one subscription, one mutation and one page: less than
Wardcast does, to the library's advantage.
"""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.library_settings"

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()  # loads the apps, which what follows needs

from typing import Any

import channels_graphql_ws
import graphene
from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.routing import ProtocolTypeRouter, URLRouter
from django.db import transaction
from django.db.models.signals import post_save
from django.urls import path
from graphene_django import DjangoConnectionField
from graphene_django.types import ErrorType

from benchmarks.commits import note_commits, patient_like
from benchmarks.probe import Probed
from patients.forms import PatientForm
from patients.models import Patient
from patients.schema.types import PatientType


class OnNewPatient(channels_graphql_ws.Subscription):
    """A patient was registered."""

    message = graphene.String(required=True)
    patient = graphene.Field(PatientType)

    class Arguments:
        category = graphene.String()

    @staticmethod
    def subscribe(root: Any, info: Any, category: str | None = None) -> list[str]:
        return [category or "all"]

    @staticmethod
    def publish(payload: Any, info: Any, category: str | None = None) -> "OnNewPatient":
        patient = payload["patient"]
        patient.category = payload["category"]
        return OnNewPatient(message=f"New patient added: {patient.name}", patient=patient)


def announce(instance: Patient, created: bool, **_: Any) -> None:
    """Broadcast on commit, to the group of the category and to everybody's."""
    if created:
        payload = {"patient": instance, "category": instance.category}
        transaction.on_commit(lambda: _announce(payload))


def _announce(payload: dict[str, Any]) -> None:
    for group in (payload["category"].code, "all"):
        OnNewPatient.broadcast_sync(group=group, payload=payload)


class CreatePatientMutationInput(graphene.InputObjectType):
    """Wardcast's input, as far as the benchmark uses it."""

    name = graphene.String(required=True)
    category = graphene.String(required=True)


class CreatePatient(graphene.Mutation):
    """Register a patient through the same form as Wardcast."""

    patient = graphene.Field(PatientType)
    errors = graphene.List(ErrorType)

    class Arguments:
        input = CreatePatientMutationInput(required=True)

    @staticmethod
    async def mutate(root: Any, info: Any, input: dict[str, Any]) -> "CreatePatient":
        return await database_sync_to_async(_create)(dict(input))


@transaction.atomic
def _create(data: dict[str, Any]) -> CreatePatient:
    form = PatientForm(data)
    if not form.is_valid():
        return CreatePatient(errors=ErrorType.from_errors(form.errors))
    return CreatePatient(patient=form.save(), errors=[])


class ThreadedConnectionField(DjangoConnectionField):
    """graphene-django's own, in a thread: the library runs sync resolvers on the loop."""

    def wrap_resolve(self, parent_resolver: Any) -> Any:
        resolve = super().wrap_resolve(parent_resolver)

        async def resolve_in_thread(root: Any, info: Any, **arguments: Any) -> Any:
            return await database_sync_to_async(resolve)(root, info, **arguments)

        return resolve_in_thread


class Query(graphene.ObjectType):
    """One page."""

    patients = ThreadedConnectionField(PatientType)

    @staticmethod
    def resolve_patients(root: Any, info: Any, **_: Any) -> Any:
        return Patient.objects.select_related("category")


class Mutation(graphene.ObjectType):
    """One change."""

    create_patient = CreatePatient.Field()


class Subscription(graphene.ObjectType):
    """One feed."""

    on_new_patient = OnNewPatient.Field()


class Consumer(channels_graphql_ws.GraphqlWsConsumer):
    """The library's socket."""

    schema = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscription)
    # How the load knows that a subscriber is in (before its groups are joined, in fact).
    confirm_subscriptions = True


async def announce_one(name: str, category: str) -> None:
    """Broadcast a patient that is not inserted."""
    patient = patient_like(name, category)
    payload = {"patient": patient, "category": patient.category}
    await OnNewPatient.broadcast_async(group=category, payload=payload)


post_save.disconnect(sender=Patient, dispatch_uid="announce_saved_patient")
post_save.connect(announce, sender=Patient, weak=False)
note_commits()
sockets = URLRouter([path("graphql/", Consumer.as_asgi())])
application = Probed(
    ProtocolTypeRouter({"http": http_application, "websocket": AuthMiddlewareStack(sockets)}),
    announce_one,
)
