"""Broadcasts: from wherever they come, on commit, in order, and never what rolled back."""

import asyncio
import logging
import threading

import graphene
import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.core.management import BaseCommand, call_command
from django.db import connections, transaction

from live.log import records, store
from live.log.announcer import HUB_GROUP, announcer
from live.log.payload import PayloadError, unpack
from live.log.records import Kind
from live.subscription import Subscription

SECRET = "Ada Lovelace"
SECONDS = 10

pytestmark = pytest.mark.django_db(transaction=True)


class OnCall(Subscription):
    """Tells of what is broadcast."""

    n = graphene.Int()

    @staticmethod
    def publish(payload, info):
        return OnCall(n=payload)


class OnOther(Subscription):
    """Another class, with groups of the same names."""

    n = graphene.Int()

    @staticmethod
    def publish(payload, info):
        return OnOther(n=payload)


class OnPassing(Subscription):
    """Passes the log."""

    durable = False
    n = graphene.Int()

    @staticmethod
    def publish(payload, info):
        return OnPassing(n=payload)


class Heard:
    """What the hubs of all processes would hear."""

    def __init__(self, layer, channel):
        self._layer, self._channel = layer, channel

    async def messages(self, count):
        async with asyncio.timeout(SECONDS):
            return [await self._layer.receive(self._channel) for _ in range(count)]

    async def records(self, count):
        """Return what `count` messages tell, each of one record of the log."""
        messages = await self.messages(count)
        assert {message["type"] for message in messages} == {"live.log"}
        return [records.unpack(packed) for message in messages for packed in message["records"]]

    async def payloads(self, count):
        return [unpack(record.body) for record in await self.records(count)]

    async def only(self, *expected):
        """Assert that this is what was heard, and nothing after it."""
        announcer().put({"type": "end"})
        if expected:
            assert await self.payloads(len(expected)) == [*expected]
        assert await self.messages(1) == [{"type": "end"}]


@pytest.fixture
async def heard():
    # What a test before has put would be sent to this one's layer.
    assert await asyncio.to_thread(announcer().flush, SECONDS)
    layer = get_channel_layer()
    channel = await layer.new_channel("test")
    await layer.group_add(HUB_GROUP, channel)
    yield Heard(layer, channel)
    await layer.group_discard(HUB_GROUP, channel)


async def in_thread(function, *arguments):
    """Call sync code as a view, an admin page or a Celery task does."""

    def call():
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(call)


# ---- transactions


async def test_outside_a_transaction_it_is_sent_at_once(heard):
    await in_thread(lambda: OnCall.broadcast(payload=1))
    assert await heard.payloads(1) == [1]


async def test_in_a_transaction_it_is_sent_on_commit_in_order(heard):
    def write():
        with transaction.atomic():
            OnCall.broadcast(payload=1)
            OnCall.broadcast_sync(payload=2)
            User.objects.create_user("a")
            OnCall.broadcast(payload=3)
            written.set()
            assert looked.wait(SECONDS)

    written, looked = threading.Event(), threading.Event()
    writing = asyncio.ensure_future(in_thread(write))
    assert await asyncio.to_thread(written.wait, SECONDS)
    await heard.only()
    looked.set()
    await writing
    await heard.only(1, 2, 3)


async def test_what_rolls_back_is_never_sent(heard):
    def write():
        try:
            with transaction.atomic():
                OnCall.broadcast(payload="rolled back")
                OnCall.broadcast_sync(payload="rolled back too")
                raise KeyError
        except KeyError:
            OnCall.broadcast(payload="after")

    await in_thread(write)
    await heard.only("after")


async def test_a_savepoint_that_rolls_back_takes_its_own_broadcasts_only(heard):
    def write():
        with transaction.atomic():
            OnCall.broadcast(payload="outer")
            try:
                with transaction.atomic():
                    OnCall.broadcast(payload="inner")
                    raise KeyError
            except KeyError:
                pass
            with transaction.atomic():
                OnCall.broadcast(payload="second")

    await in_thread(write)
    await heard.only("outer", "second")


async def test_a_model_is_sent_as_it_was_at_the_broadcast(heard):
    def write():
        user = User(username="before")
        with transaction.atomic():
            OnCall.broadcast(payload=user)
            user.username = "after"

    await in_thread(write)
    assert [user.username for user in await heard.payloads(1)] == ["before"]


async def test_a_layer_that_fails_does_not_fail_what_is_committed(heard, monkeypatch, caplog):
    async def fail(group, message):
        raise ConnectionRefusedError(SECRET)

    def write():
        with transaction.atomic():
            OnCall.broadcast(payload=SECRET)
            User.objects.create_user("a")
        assert announcer().flush(SECONDS)
        return User.objects.count(), store.read(1, 9)

    await OnCall.broadcast(payload=1)
    assert await heard.payloads(1) == [1]
    monkeypatch.setattr(get_channel_layer(), "group_send", fail)
    users, [_, (_, packed)] = await in_thread(write)
    # Whoever misses the message reads the log.
    assert (users, unpack(records.unpack(packed).body)) == (1, SECRET)
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert errors == ["The channel layer is away: ConnectionRefusedError"]
    assert SECRET not in caplog.text


# ---- from wherever


async def test_from_async_code_it_may_be_awaited_or_left(heard):
    await OnCall.broadcast(payload=1)
    await OnCall.broadcast_async(payload=2)
    OnCall.broadcast(payload=3)
    assert await heard.payloads(3) == [1, 2, 3]


async def test_from_another_threads_loop(heard):
    async def send():
        await OnCall.broadcast(payload=1)
        await OnCall.broadcast_async(payload=2)

    await in_thread(lambda: asyncio.run(send()))
    assert await heard.payloads(2) == [1, 2]


async def test_from_many_threads_at_once_each_in_its_order(heard):
    def write(name):
        for number in range(20):
            OnCall.broadcast(payload=[name, number])

    await asyncio.gather(*(in_thread(write, name) for name in range(8)))
    got = await heard.payloads(160)
    for name in range(8):
        assert [number for writer, number in got if writer == name] == list(range(20))


async def test_from_a_management_command(heard):
    class Command(BaseCommand):
        def handle(self, *args, **options):
            with transaction.atomic():
                OnCall.broadcast(payload="command")

    await in_thread(call_command, Command())
    assert await heard.payloads(1) == ["command"]


# ---- to whom


async def test_groups_are_a_classs_own(heard):
    await OnCall.broadcast(group="a", payload=1)
    await OnOther.broadcast(group="a", payload=2)
    await OnCall.broadcast(group=["a", "b"], payload=3)
    await OnCall.broadcast(group=("a",), payload=4)
    await OnCall.broadcast(payload=5)
    groups = [[*record.groups] for record in await heard.records(5)]
    a, b = OnCall.group_names(["a", "b"])
    assert groups == [[a], OnOther.group_names("a"), [a, b], [a], OnCall.group_names(None)]
    assert len({a, b, *OnOther.group_names("a"), *OnCall.group_names(None)}) == 4


async def test_unsubscribe_names_the_group(heard):
    await OnCall.unsubscribe(group="a")
    await in_thread(lambda: OnCall.unsubscribe(group="a"))
    await in_thread(lambda: OnCall.unsubscribe_sync())
    told = await heard.records(3)
    assert {record.kind for record in told} == {Kind.UNSUBSCRIBE}
    assert [[*record.groups] for record in told] == [
        OnCall.group_names("a"),
        OnCall.group_names("a"),
        OnCall.group_names(None),
    ]


# ---- past the log


async def test_what_is_not_durable_is_sent_on_commit_and_not_kept(heard):
    def write():
        with transaction.atomic():
            OnPassing.broadcast(group="a", payload=1)
            with transaction.atomic():
                OnPassing.broadcast_sync(payload="rolled back")
                transaction.set_rollback(True)
        OnPassing.unsubscribe(group="a")
        return store.read(1, 9)

    await OnPassing.broadcast(payload=0)
    assert await in_thread(write) == []
    messages = await heard.messages(3)
    assert {message["type"] for message in messages} == {"live.passing"}
    told = [records.unpack(message["record"]) for message in messages]
    assert [unpack(record.body) for record in told[:2]] == [0, 1]
    assert [*told[1].groups] == OnPassing.group_names("a")
    assert told[2] == records.unsubscribe(OnPassing.group_names("a"))


# ---- what cannot be packed


def call_in_thread(payload):
    return in_thread(lambda: OnCall.broadcast(payload=payload))


def call_sync(payload):
    return in_thread(lambda: OnCall.broadcast_sync(payload=payload))


async def call_async(payload):
    await OnCall.broadcast(payload=payload)


async def call_broadcast_async(payload):
    await OnCall.broadcast_async(payload=payload)


@pytest.mark.parametrize("call", [call_in_thread, call_sync, call_async, call_broadcast_async])
async def test_what_cannot_be_packed_is_an_error_for_the_sender(heard, call):
    with pytest.raises(PayloadError) as caught:
        await call({"user": User(username=SECRET, first_name={SECRET})})
    assert "payload['user'].first_name (set)" in str(caught.value)
    assert SECRET not in str(caught.value)
    await heard.only()


# ---- classes


def test_a_subclass_inherits_its_hooks_and_has_groups_of_its_own():
    class Base(Subscription):
        class Meta:
            abstract = True

        @staticmethod
        async def authorize(root, info):
            raise KeyError("base")

        @staticmethod
        def subscribe(root, info):
            return ["base"]

    class OnDerived(Base):
        n = graphene.Int()

        @staticmethod
        def publish(payload, info):
            return OnDerived(n=payload)

    with pytest.raises(KeyError, match="base"):
        asyncio.run(OnDerived._authorize(None, None))
    assert asyncio.run(OnDerived._meta.subscribe(None, None)) == ["base"]
    assert OnDerived._meta.unsubscribed is None
    assert OnDerived.group_names("a") != OnCall.group_names("a")


def test_a_class_without_publish_is_refused():
    with pytest.raises(AssertionError, match="publish"):

        class OnNothing(Subscription):
            n = graphene.Int()
