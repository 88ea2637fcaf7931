"""A socket looks again at its user's rights when they change, before any later event."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, transaction

from live.concurrency import outage
from live.identity import identify, revocation
from live.log import counter, store
from live.log.announcer import announcer
from live.models import LoggedEvent
from tests.conftest import make_user
from tests.live.secret import (
    HELD,
    REACHED,
    SECRETS,
    SECRETS_AFTER,
    Consumer,
    OnSecret,
    looked_at,
    lose_permission,
    watching,
    within,
)
from tests.live.wire import SUBPROTOCOLS, Wire, codes


@pytest.fixture
def user(transactional_db):
    return make_user("somebody", "view_patient")


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_an_event_on_its_way_does_not_overtake_a_loss(user, hold, subprotocol):
    """It was committed and taken before the loss, but not delivered."""
    hold("publish")
    async with Wire(Consumer.as_asgi(), user, subprotocol) as wire:
        assert await wire.subscribe(SECRETS) == []
        await OnSecret.broadcast_async(payload="secret")
        await within(20, REACHED["publish"])
        async with looked_at():
            await lose_permission(user)
        HELD["publish"].set()
        assert (await wire.ended()).code == 4403
        assert "secret" not in "".join(wire.frames)


async def test_what_was_missed_is_not_replayed_to_who_lost_the_right(user):
    after = await sync_to_async(store.position)()
    await OnSecret.broadcast_async(payload="secret")
    await lose_permission(user)
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS_AFTER, after=after) == ["FORBIDDEN"]
        assert (await wire.ask("{ __typename }"))["data"]
        assert "secret" not in "".join(wire.frames)


async def test_a_replay_does_not_go_on_after_a_loss(user, hold):
    after = await sync_to_async(store.position)()
    for _ in range(2):
        await OnSecret.broadcast_async(payload="secret")
    hold("publish")
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS_AFTER, after=after) == []
        await within(20, REACHED["publish"])
        async with looked_at():
            await lose_permission(user)
        HELD["publish"].set()
        assert (await wire.ended()).code == 4403
        assert "secret" not in "".join(wire.frames)


async def test_events_wait_while_rights_are_looked_at_and_come_after(user, held_look):
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        await OnSecret.broadcast_async(payload="one")
        assert (await wire.event())["onSecret"]["value"] == "one"
        asked, go_on = held_look()
        await sync_to_async(user.save)()
        await within(20, asked)
        for value in ("two", "three"):
            await OnSecret.broadcast_async(payload=value)
        seen = len(wire.frames)
        await wire.send(type="ping")
        assert (await wire.receive())["type"] == "pong"
        assert len(wire.frames) == seen + 1
        go_on.set()
        assert [(await wire.event())["onSecret"]["value"] for _ in range(2)] == ["two", "three"]


async def test_a_query_waits_for_the_look_and_has_the_new_rights(user, held_look):
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert (await wire.ask("{ secret }"))["data"] == {"secret": "secret"}
        asked, go_on = held_look()
        await lose_permission(user)
        await within(20, asked)
        await wire.start("{ secret }")
        await wire.send(type="ping")
        assert (await wire.receive())["type"] == "pong"
        go_on.set()
        message = await wire.receive()
        assert codes(message["payload"]) == ["FORBIDDEN"]
        assert message["payload"]["data"] == {"secret": None}


async def test_a_subscription_that_opens_meanwhile_asks_again(user, hold):
    hold("subscribe")
    async with Wire(Consumer.as_asgi(), user) as wire:
        await wire.start(SECRETS)
        await within(20, REACHED["subscribe"])  # `authorize` said yes
        async with looked_at():
            await lose_permission(user)
        HELD["subscribe"].set()
        message = await wire.receive()
        assert message["type"] == "error"
        assert codes({"errors": wire.errors_in(message)}) == ["FORBIDDEN"]
        await OnSecret.broadcast_async(payload="secret")
        assert (await wire.ask("{ __typename }"))["data"]
        assert "secret" not in "".join(wire.frames)


async def test_a_query_that_goes_on_does_not_keep_the_socket_open(user, hold):
    hold("slow")
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        await wire.start("{ slow }", "slow")
        await within(20, REACHED["slow"])
        await lose_permission(user)
        HELD["slow"].set()
        assert (await wire.ended()).code == 4403


async def test_a_look_that_fails_closes_the_socket(user, monkeypatch, caplog):
    def fail(scope):
        raise RuntimeError("Jane Doe")

    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        monkeypatch.setattr(identify, "present_user", fail)
        await sync_to_async(user.save)()
        assert (await wire.ended()).code == 4500
    assert "Jane" not in caplog.text


async def test_looks_wait_for_a_database_that_is_away_and_log_one_line(user, monkeypatch, caplog):
    looks, present_user = [], identify.present_user

    def fail_at_first(scope):
        looks.append(scope)
        if len(looks) < 6:
            raise OperationalError("Jane Doe")
        return present_user(scope)

    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.001)
    # The real one is there, and whoever else asks it would say that it is back.
    monkeypatch.setattr(outage.Outage, "succeeded", lambda *_: None)
    async with Wire(Consumer.as_asgi(), user) as one, Wire(Consumer.as_asgi(), user) as two:
        for wire in (one, two):
            assert await wire.subscribe(SECRETS) == []
        monkeypatch.setattr(identify, "present_user", fail_at_first)
        await sync_to_async(user.save)()
        await OnSecret.broadcast_async(payload="one")
        for wire in (one, two):
            assert (await wire.event())["onSecret"]["value"] == "one"
    assert caplog.messages == ["The database is away: OperationalError"]


async def test_an_event_of_another_process_does_not_overtake_a_loss(user, unsent):
    """Its message comes first; in the log, which both are in, it is second."""
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        await lose_permission(user)
        await OnSecret.broadcast_async(payload="secret")
        loss, event = unsent
        for message in (event, loss):
            announcer().put(message)
        assert (await wire.ended()).code == 4403
        assert "secret" not in "".join(wire.frames)


@pytest.mark.usefixtures("unsent")
async def test_a_loss_is_seen_while_the_channel_layer_is_away(user):
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        await lose_permission(user)
        await OnSecret.broadcast_async(payload="secret")
        assert (await wire.ended()).code == 4403
        assert "secret" not in "".join(wire.frames)


@transaction.atomic
def prune_it_all():
    """Delete the records before any hub has read them."""
    revocation.rights_changed(None)
    LoggedEvent.objects.all().delete()


@pytest.mark.usefixtures("unsent")
@pytest.mark.parametrize("lose", [prune_it_all, counter.start_new_epoch])
async def test_a_hub_that_missed_records_looks_at_everybody(user, lose):
    """A socket that does not watch has missed no event, and stays open."""
    async with Wire(Consumer.as_asgi(), user) as wire:
        await watching()
        await sync_to_async(User.user_permissions.through.objects.all().delete)()  # unheard
        assert (await wire.ask("{ secret }"))["data"] == {"secret": "secret"}
        async with looked_at():
            await sync_to_async(lose)()
        assert codes(await wire.ask("{ secret }")) == ["FORBIDDEN"]


async def test_of_two_changes_the_last_counts(user):
    async with Wire(Consumer.as_asgi(), user) as wire:
        assert await wire.subscribe(SECRETS) == []
        permission = await Permission.objects.aget(codename="view_patient")

        def change():
            with transaction.atomic():
                user.user_permissions.clear()
                user.user_permissions.add(permission)

        await sync_to_async(change)()
        await OnSecret.broadcast_async(payload="still")
        assert (await wire.event())["onSecret"]["value"] == "still"


async def test_sockets_of_others_notice_nothing(user, visitor):
    await sync_to_async(visitor.user_permissions.set)(
        [await Permission.objects.aget(codename="view_patient")]
    )
    async with Wire(Consumer.as_asgi(), user) as wire, Wire(Consumer.as_asgi(), visitor) as other:
        assert await wire.subscribe(SECRETS) == []
        assert await other.subscribe(SECRETS) == []
        await lose_permission(user)
        await OnSecret.broadcast_async(payload="secret")
        assert (await other.event())["onSecret"]["value"] == "secret"
        assert (await wire.ended()).code == 4403
        assert "secret" not in "".join(wire.frames)


async def test_a_right_that_comes_back_is_seen_at_the_next_subscription(user):
    async with Wire(Consumer.as_asgi(), user) as wire:
        async with looked_at():
            await lose_permission(user)
        assert await wire.subscribe(SECRETS) == ["FORBIDDEN"]
        permission = await Permission.objects.aget(codename="view_patient")
        async with looked_at():
            await sync_to_async(user.user_permissions.add)(permission)
        assert await wire.subscribe(SECRETS, "2") == []
