"""Subscriptions to notes of several topics, for tests of who comes back with a cursor."""

import asyncio

import graphene
from asgiref.sync import sync_to_async

from live.execution.resolvers import from_memory
from live.execution.schema import LogQueries
from live.log import store
from live.log.cursor import decode
from live.socket.consumer import LiveConsumer
from live.subscription import Subscription
from tests.live.wire import Wire

NOTES = "subscription ($after: String) { event: onNote(after: $after) { cursor text } }"
OWN_NOTES = "subscription ($after: String) { event: onOwnNote(after: $after) { cursor text } }"
OF_TOPICS = """subscription ($topics: [String!], $after: String) {
  event: onNote(topics: $topics, after: $after) { cursor text }
}"""
PASSING = "subscription { event: onPassingNote { text } }"


class Desk:
    """What the hooks of the running test do."""

    runs: list
    ended: list
    gate: asyncio.Event  # notes called "held" wait for it

    @classmethod
    def clear(cls):
        cls.runs, cls.ended, cls.gate = [], [], asyncio.Event()


class OnNote(Subscription):
    """Notes of some topics; shared by everybody."""

    text = graphene.String(required=True)

    class Arguments:
        topics = graphene.List(graphene.NonNull(graphene.String))

    @staticmethod
    @from_memory
    def audience(info, topics=None):
        return "everybody"

    @staticmethod
    @from_memory
    def subscribe(root, info, topics=None):
        return topics

    @staticmethod
    async def publish(payload, info, topics=None):
        Desk.runs.append(payload)
        if payload == "held":
            await Desk.gate.wait()
        return None if payload == "skipped" else OnNote(text=payload)

    @staticmethod
    @from_memory
    def unsubscribed(root, info, topics=None):
        Desk.ended.append(topics)


class OnOwnNote(Subscription):
    """Every note, with a run for each subscriber, in a thread."""

    text = graphene.String(required=True)

    @staticmethod
    def publish(payload, info):
        return OnOwnNote(text=payload)


class OnPassingNote(OnNote):
    """Notes that pass the log."""

    durable = False

    @staticmethod
    @from_memory
    def publish(payload, info, topics=None):
        return OnPassingNote(text=payload)


class OnPointer(Subscription):
    """Somebody's cursor moved: passes the log, and has a cursor that is no place in it."""

    durable = False
    cursor = graphene.Int()

    @staticmethod
    @from_memory
    def publish(payload, info):
        return OnPointer(cursor=payload)


class Subscriptions(graphene.ObjectType):
    """All of the above."""

    on_note = OnNote.Field()
    on_own_note = OnOwnNote.Field()
    on_passing_note = OnPassingNote.Field()
    on_pointer = OnPointer.Field()


class Consumer(LiveConsumer):
    """Serves notes to anybody."""

    schema = graphene.Schema(query=LogQueries, subscription=Subscriptions)


def connect(subprotocol="graphql-transport-ws"):
    """Return a socket, to be entered."""
    return Wire(Consumer.as_asgi(), subprotocol=subprotocol)


async def write(*texts, topic=None, kind=OnNote):
    """Broadcast notes, each in a transaction of its own."""
    for text in texts:
        await kind.broadcast_async(group=topic, payload=text)


async def position():
    """Return the log's end."""
    return await sync_to_async(store.position)()


async def read(wire, count):
    """Return the texts of the next notes."""
    return [(await wire.event())["event"]["text"] for _ in range(count)]


async def read_until(wire, last):
    """Return the next notes, up to the one whose text is `last`, as (number, text)."""
    notes = []
    while not notes or notes[-1][1] != last:
        note = (await wire.event())["event"]
        notes.append((decode(note["cursor"]).number, note["text"]))
    return notes
