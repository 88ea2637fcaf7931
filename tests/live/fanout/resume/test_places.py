"""Cursors that cannot be honoured, and ends of subscriptions among what is missed."""

import secrets
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from live.fanout import event_buffer
from live.fanout.hub import Hub
from live.log import counter, store
from live.log.cursor import Cursor, decode, encode
from tests.live.engine import until
from tests.live.notes import (
    NOTES,
    OF_TOPICS,
    Desk,
    OnNote,
    connect,
    position,
    read,
    write,
)
from tests.live.stage import settled

pytestmark = pytest.mark.django_db(transaction=True)


# ---- places that cannot be honoured


async def passed(place):
    """Return once the hub has dealt with everything up to `place`."""
    hub, cursor = Hub.current(), decode(place)
    await until(lambda: (hub.log.epoch, hub.log.position) == cursor)


async def refused_with(after, subprotocol):
    """Return the code of the refusal, after which nothing came and the id is free."""
    async with connect(subprotocol) as wire:
        [code] = await wire.subscribe(NOTES, "1", after=after)
        await write("unheard")
        await passed(await position())
        assert await wire.subscribe(NOTES, "1") == []
        await write("heard")
        assert await read(wire, 1) == ["heard"]
        assert not any("unheard" in frame for frame in wire.frames)
    return code


BROKEN = [
    "",
    "1",
    "a" * 28,
    "ä" * 28,
    "=" * 28,
    "Ag" + "A" * 34,
    "x" * 10_000,
]


@pytest.mark.parametrize("after", BROKEN, ids=lambda text: text[:9])
async def test_what_is_no_cursor_is_refused_before_any_event(after, subprotocol):
    await write("old")
    assert await refused_with(after, subprotocol) == "BAD_CURSOR"


async def test_a_mistyped_cursor_is_refused():
    await write("old")
    cursor = await position()
    for index in range(len(cursor)):
        other = "A" if cursor[index] != "A" else "B"
        async with connect() as wire:
            mistyped = cursor[:index] + other + cursor[index + 1 :]
            assert await wire.subscribe(NOTES, after=mistyped) == ["BAD_CURSOR"]


@sync_to_async
def prune(through):
    """Prune the log up to a record."""
    old = timezone.now() - timedelta(days=8)
    store.LoggedEvent.objects.filter(number__lte=through).update(written_at=old)
    assert store.prune(timezone.now() - timedelta(days=7))


async def test_a_place_before_what_was_pruned_is_refused_and_one_after_it_is_not(subprotocol):
    epoch = decode(await position()).epoch
    await write(*"abcde")
    await prune(3)
    for number in (0, 1, 2):
        assert await refused_with(encode(Cursor(epoch, number)), subprotocol) == "CURSOR_EXPIRED"
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=encode(Cursor(epoch, 3))) == []
        assert await read(wire, 2) == ["d", "e"]


async def test_the_end_of_a_log_that_was_pruned_wholly_is_still_a_place():
    await write(*"abc")
    place = await position()
    await prune(3)
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=place) == []
        await write("d")
        assert await read(wire, 1) == ["d"]


async def test_what_is_pruned_before_somebody_has_read_it_is_told(settings, monkeypatch):
    """It is not left out: the subscription ends with an error."""
    settings.LIVE = {"EVENTS_IN_MEMORY": 1}
    monkeypatch.setattr(event_buffer, "PAGE", 2)
    start = await position()
    await write("held", *"abcde")
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=start) == []
        await until(lambda: Desk.runs)
        await prune(3)
        Desk.gate.set()
        assert await read(wire, 2) == ["held", "a"]
        message = await wire.receive()
        assert [error["extensions"]["code"] for error in wire.errors_in(message)] == [
            "CURSOR_EXPIRED"
        ]


async def test_a_cursor_of_another_log_is_refused(subprotocol):
    await write("old")
    place = decode(await position())
    other = Cursor(secrets.randbits(62), place.number)
    assert await refused_with(encode(other), subprotocol) == "CURSOR_EXPIRED"


@pytest.mark.parametrize("begun", [False, True], ids=["before the hub's", "under the hub"])
async def test_after_a_new_epoch_no_former_cursor_is_taken(begun, settings):
    settings.LIVE = {"POLL_EVERY": 0.05}
    await write(*"abc")
    place = decode(await position())
    async with connect() as wire:
        if begun:
            assert await wire.subscribe(NOTES, after=encode(place)) == []
        await sync_to_async(counter.start_new_epoch)()
        if begun:
            # Its events are another log's from now on: it has to come back, and to begin anew.
            assert (await wire.ended()).code == 4412
    for number in range(4):
        cursor = encode(Cursor(place.epoch, number))
        assert await refused_with(cursor, "graphql-transport-ws") == "CURSOR_EXPIRED"
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=await position()) == []
        await write("d")
        assert await read(wire, 1) == ["d"]


@pytest.mark.parametrize("ahead", [1, 2, 1000, 2**63])
async def test_a_place_beyond_the_end_is_refused(ahead):
    """After a restored backup without a new epoch, it would skip events."""
    await write("old")
    place = decode(await position())
    beyond = encode(Cursor(place.epoch, place.number + ahead))
    assert await refused_with(beyond, "graphql-transport-ws") == "CURSOR_EXPIRED"


async def test_who_was_refused_goes_on_from_the_position():
    await write("old")
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=encode(Cursor(1, 1))) == ["CURSOR_EXPIRED"]
        place = await sync_to_async(store.position)()
        await write("new")
        assert await wire.subscribe(NOTES, after=place) == []
        assert await read(wire, 1) == ["new"]


async def test_the_application_is_told_that_a_refused_subscription_has_ended():
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after="bad") == ["BAD_CURSOR"]
        await settled()
        assert Desk.ended == [None]


# ---- ends of subscriptions


async def ended(wire):
    """Assert that the next message is a subscription's end."""
    assert (await wire.receive())["type"] == "complete"


async def test_an_end_has_its_place_among_the_events(subprotocol):
    async with connect(subprotocol) as live, connect(subprotocol) as other:
        assert await live.subscribe(OF_TOPICS, topics=["a"]) == []
        assert await other.subscribe(OF_TOPICS, topics=["b"]) == []
        await write("one", "two")
        await OnNote.unsubscribe_async(group="a")
        await write("three")
        assert await read(live, 2) == ["one", "two"]
        await ended(live)
        assert await read(other, 3) == ["one", "two", "three"]
        assert (await live.ask("{ __typename }"))["data"]
        assert not any("three" in frame for frame in live.frames)


async def test_an_end_before_one_came_back_is_not_its_end():
    start = await position()
    await write("one")
    await OnNote.unsubscribe_async()
    await write("two")
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=start) == []
        await write("three")
        assert await read(wire, 3) == ["one", "two", "three"]
        await OnNote.unsubscribe_async()
        await ended(wire)


async def test_an_end_waits_for_the_events_that_are_still_read():
    start = await position()
    await write("held", "two")
    async with connect() as wire:
        assert await wire.subscribe(NOTES, after=start) == []
        await until(lambda: Desk.runs)
        await write("three")
        await OnNote.unsubscribe_async()
        await write("four")
        Desk.gate.set()
        assert await read(wire, 3) == ["held", "two", "three"]
        await ended(wire)
        assert (await wire.ask("{ __typename }"))["data"]
        assert not any("four" in frame for frame in wire.frames)
