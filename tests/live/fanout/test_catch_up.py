"""Who reads events at its own pace gets each once, in order, cheaply, and after the live ones."""

import asyncio

import pytest
from django.db import OperationalError

from live import metrics
from live.concurrency import outage
from live.errors import CursorExpired
from live.fanout.hub import Hub
from live.log import records
from tests.live.engine import Echo, Feed, Slow, turns, until
from tests.live.place import Place, value

SECRET = "Ada Lovelace"


@pytest.fixture
async def hub():
    hub = Hub.current()
    yield hub
    assert value(metrics.replaying) == 0


@pytest.fixture
def feed(hub):
    return Feed(hub)


# ---- order, and exactly once


async def test_who_comes_back_gets_what_it_missed_and_then_what_is_new(hub, feed):
    feed.events(range(1, 1201), "g")  # three pages
    place = Place(hub, Echo(), since=3)
    assert value(metrics.replaying) == 1
    await turns(2)
    feed.events(range(1201, 1301), "g")
    await until(lambda: place.is_live)
    feed.event(1301, "g")
    assert place.got == list(range(4, 1302))
    place.leave()


async def test_who_comes_back_gets_its_own_groups_events_only(hub, feed):
    for number in range(1, 10):
        feed.event(number, "abc"[number % 3])
    place = Place(hub, Echo(), since=0, groups="a b")
    await until(lambda: place.is_live)
    assert place.got == [1, 3, 4, 6, 7, 9]
    place.leave()


async def test_who_is_slow_gets_all_at_its_own_pace_and_joins_the_others_again(hub, feed):
    run = Echo()
    slow, fast = Place(hub, run, takes=2), Place(hub, run)
    feed.events(range(1, 11), "g")
    assert (slow.got, fast.got) == ([1, 2], list(range(1, 11)))
    slow.client.take_more(3)
    await until(lambda: len(slow.got) == 5)
    feed.event(11, "g")
    await turns()
    assert (slow.got, fast.got) == ([1, 2, 3, 4, 5], list(range(1, 12)))
    slow.client.take_more()
    await until(lambda: slow.is_live)
    feed.event(12, "g")
    assert slow.got == fast.got == list(range(1, 13))
    assert run.ran == list(range(1, 13))
    slow.leave()
    fast.leave()


async def test_who_is_suspended_gets_what_came_meanwhile_as_its_rights_are_then(hub, feed):
    old, new = Slow(), Echo()
    place, stays = Place(hub, old, key="old"), Place(hub, old, key="old")
    feed.events([1, 2], "g")
    await old.let_one()
    place.suspend()
    place.suspend()
    feed.event(3, "g")
    await old.let_all()
    assert (place.got, stays.got) == ([1], [1, 2, 3])
    place.readmit("new", new)
    await until(lambda: place.is_live)
    feed.event(4, "g")
    assert place.got == [1, 2, 3, 4]
    # The one that was running when the rights changed is run again.
    assert new.ran == [2, 3, 4]
    await old.let_all()
    place.leave()
    stays.leave()


async def test_who_is_suspended_while_it_reads_goes_on_where_it_was(hub, feed):
    old, new = Slow(), Echo()
    feed.events(range(1, 6), "g")
    place = Place(hub, old, since=0)
    await until(lambda: old.held)
    await old.let_one()
    await until(lambda: old.held)
    place.suspend()
    await old.let_all()
    assert place.got == [1]
    place.readmit("new", new)
    await until(lambda: place.is_live)
    assert place.got == [1, 2, 3, 4, 5]
    assert new.ran == [2, 3, 4, 5]
    place.leave()


async def test_who_leaves_while_it_reads_gets_nothing_more(hub, feed):
    run = Slow()
    feed.events(range(1, 4), "g")
    place = Place(hub, run, since=0)
    await until(lambda: run.held)
    place.leave()
    place.leave()
    place.readmit()
    await run.let_all()
    assert place.got == []
    assert hub._cohorts == {}


async def test_a_publish_that_is_slower_than_the_events_loses_none(hub, feed, settings):
    settings.LIVE = {"NOTIFICATION_QUEUE_LIMIT": 3}
    run = Slow()
    places = [Place(hub, run) for _ in range(3)]
    for number in range(1, 30):
        feed.event(number, "g")
        if number % 5 == 0:
            await until(lambda: run.held)
            await run.let_one()
    while not all(place.is_live and len(place.got) == 29 for place in places):
        await until(lambda: run.held)
        await run.let_one()
    assert [place.got for place in places] == [list(range(1, 30))] * 3
    # Only the one that ran while the others were given up may have run twice.
    assert len(run.ran) <= 30
    for place in places:
        place.leave()


# ---- its end


async def test_an_end_comes_when_all_before_it_has_been_had(hub, feed):
    place = Place(hub, Echo(), takes=1)
    feed.events([1, 2], "g")
    feed.take(records.unsubscribe(["g"]))
    feed.event(4, "g")
    await turns()
    assert (place.got, place.client.ends) == ([1], 0)
    place.client.take_more()
    await until(lambda: place.client.ends)
    await turns()
    assert (place.got, place.client.ends) == ([1, 2], 1)
    assert hub._cohorts == {}


async def test_who_is_suspended_is_ended_all_the_same(hub, feed):
    place = Place(hub, Echo())
    place.suspend()
    feed.event(1, "g")
    feed.take(records.unsubscribe(["g"]))
    place.readmit()
    await until(lambda: place.client.ends)
    assert place.got == [1]


async def test_an_end_before_it_joined_was_not_meant_for_it(hub, feed):
    feed.event(1, "g")
    feed.take(records.unsubscribe(["g"]))
    feed.event(3, "g")
    place = Place(hub, Echo(), since=0)
    await until(lambda: place.is_live)
    assert (place.got, place.client.ends) == ([1, 3], 0)
    place.leave()


# ---- what goes wrong


async def test_events_that_are_gone_are_told_to_who_needed_them_only(hub, feed, settings):
    settings.LIVE = {"EVENTS_IN_MEMORY": 5}
    feed.events(range(1, 21), "g")
    feed.log.prune(10)
    late, later = Place(hub, Echo(), since=8), Place(hub, Echo(), since=10)
    await until(lambda: late.client.errors and later.is_live)
    assert [type(error) for error in late.client.errors] == [CursorExpired]
    assert late.got == []
    assert later.got == list(range(11, 21))
    later.leave()


async def test_a_database_that_is_away_is_waited_for(hub, feed, settings, monkeypatch, caplog):
    settings.LIVE = {"EVENTS_IN_MEMORY": 1}
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.01)
    before = value(metrics.log_errors)
    read, is_away = feed.log.read, True

    async def read_or_fail(first, last):
        if is_away:
            raise OperationalError(SECRET)
        return await read(first, last)

    hub.log._fetch = read_or_fail
    feed.events(range(1, 11), "g")
    place = Place(hub, Echo(), since=0)
    await until(lambda: value(metrics.log_errors) > before + 2)
    assert (place.got, place.client.errors) == ([], [])
    is_away = False
    await until(lambda: place.is_live)
    assert place.got == list(range(1, 11))
    assert SECRET not in caplog.text
    place.leave()


async def test_who_shares_a_read_that_is_cancelled_is_ended_and_may_come_back(hub, feed, settings):
    settings.LIVE = {"EVENTS_IN_MEMORY": 1}
    read = feed.log.read

    async def cancel(first, last):
        raise asyncio.CancelledError

    hub.log._fetch = cancel
    feed.events(range(1, 11), "g")
    place = Place(hub, Echo(), since=0)
    await until(lambda: place.client.errors)
    hub.log._fetch = read
    again = Place(hub, Echo(), since=0)
    await until(lambda: again.is_live)
    assert again.got == list(range(1, 11))
    again.leave()


async def test_an_absence_is_logged_once_however_many_read(
    hub, feed, settings, monkeypatch, caplog
):
    settings.LIVE = {"EVENTS_IN_MEMORY": 1}
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.01)
    read, is_away = feed.log.read, True

    async def read_or_fail(first, last):
        if is_away:
            raise OperationalError(SECRET)
        return await read(first, last)

    hub.log._fetch = read_or_fail
    feed.events(range(1, 11), "g")
    for absences in (1, 2):
        is_away, before = True, value(metrics.log_errors)
        # Each from another place, so that none waits for another's read.
        places = [Place(hub, Echo(), since=since) for since in range(8)]
        await until(lambda before=before: value(metrics.log_errors) > before + 20)
        assert caplog.text.count("The database is away") == absences
        is_away = False
        await until(lambda places=places: all(place.is_live for place in places))
        assert [place.got for place in places] == [list(range(n, 11)) for n in range(1, 9)]
        for place in places:
            place.leave()


async def test_what_fails_otherwise_ends_that_subscription_only(hub, feed):
    feed.events([1, 2, 3], "g")
    failing, other = Place(hub, Echo(), since=0), Place(hub, Echo(), since=0)

    def fail():
        raise KeyError(SECRET)

    failing.client.on_deliver = fail
    await until(lambda: failing.client.errors and other.is_live)
    assert [type(error) for error in failing.client.errors] == [KeyError]
    assert other.got == [1, 2, 3]
    other.leave()


async def test_what_publish_raises_is_told_and_the_next_event_runs(hub, feed):
    feed.events([1, 2], "g")

    def run(event):
        if event.number == 1:
            raise KeyError(SECRET)
        return Echo()(event)

    place = Place(hub, run, since=0)
    await until(lambda: place.is_live)
    failed, fine = place.client.bodies
    assert failed["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert fine == {"data": {"event": 2}}
    place.leave()
