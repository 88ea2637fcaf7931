"""What it costs when many read at their own pace: few runs and reads, and nobody waits for long."""

import asyncio

import pytest

from live import metrics
from live.concurrency import scheduler as scheduler_module
from live.fanout import renderings
from live.fanout.catch_up import EVENTS_AT_ONCE
from live.fanout.cohort import MEMBERS_AT_ONCE
from live.fanout.hub import Hub
from live.fanout.renderings import MOST_KEPT
from tests.live.engine import Echo, Feed, Slow, until
from tests.live.place import Place, value


@pytest.fixture
async def hub():
    hub = Hub.current()
    yield hub
    assert value(metrics.replaying) == 0


@pytest.fixture
def feed(hub):
    return Feed(hub)


@pytest.mark.parametrize("in_memory", [1000, 5000])
async def test_a_hundred_who_come_back_cost_one_run_an_event_and_a_few_reads(
    hub, feed, settings, in_memory
):
    settings.LIVE = {"EVENTS_IN_MEMORY": in_memory}
    feed.events(range(1, 2101), "g")
    run = Echo()
    places = [Place(hub, run, since=1000 + number) for number in range(100)]
    await until(lambda: all(place.is_live for place in places), 20)
    for number, place in enumerate(places):
        assert place.got == list(range(1001 + number, 2101))
    assert sorted(run.ran) == list(range(1001, 2101))
    assert len(feed.log.reads) <= (5 if in_memory == 1000 else 0)
    for place in places:
        place.leave()


@pytest.mark.parametrize("in_memory", [1, 100])
@pytest.mark.parametrize("kind", [Echo, Slow])
async def test_of_those_who_read_one_goes_on_in_each_turn_of_the_loop(
    hub, feed, settings, monkeypatch, kind, in_memory
):
    settings.LIVE = {"EVENTS_IN_MEMORY": in_memory}
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)
    feed.events(range(1, 4), "g")
    run = kind()
    places = [Place(hub, run, since=0) for _ in range(50)]
    most = 0
    while not all(place.is_live for place in places):
        had = sum(len(place.got) for place in places)
        for turn in getattr(run, "held", ()):
            turn.done() or turn.set_result(None)
        await asyncio.sleep(0)
        most = max(most, sum(len(place.got) for place in places) - had)
    assert most == 1
    assert all(place.got == [1, 2, 3] for place in places)
    for place in places:
        place.leave()


async def test_live_events_go_before_those_that_are_read(hub, feed):
    """However many read, who is up to date waits for no more than a few turns of the loop."""
    feed.events(range(1, 201), "g")

    async def run_later(event):
        await asyncio.sleep(0)
        return Echo()(event)

    # Too many to be written to in one turn.
    ward = [Place(hub, run_later, key="ward") for _ in range(MEMBERS_AT_ONCE + 1)]
    reading = Echo()
    readers = [Place(hub, reading, since=0) for _ in range(100)]
    number, most = 200, 0
    while not all(place.is_live for place in readers):
        number, waited = number + 1, 0
        feed.event(number, "g")
        while not (ward[-1].got and ward[-1].got[-1] == number):
            await asyncio.sleep(0)
            waited += 1
        most = max(most, waited)
    assert number > 210
    assert most <= 10
    assert all(place.got == list(range(1, number + 1)) for place in readers)
    for place in (*ward, *readers):
        place.leave()


# ---- who reads first


@pytest.fixture
def _short_turns(monkeypatch):
    """Have each piece of work be the shortest."""
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)


@pytest.mark.usefixtures("_short_turns")
async def test_who_comes_from_far_apart_places_soon_reads_together(hub, feed):
    """Else what was run for the first of them would be gone when the last comes to it.

    It is for a few events of those whose turn comes early, as they have waited longest.
    """
    last = 2 * MOST_KEPT
    feed.events(range(1, last + 1), "g")
    run = Echo()
    places = [Place(hub, run, since=since) for since in range(0, MOST_KEPT + 200, 50)]
    await until(lambda: all(place.is_live for place in places), 20)
    for place in places:
        assert place.got == list(range(place.got[0], last + 1))
    assert [place.got[0] for place in places] == list(range(1, MOST_KEPT + 200, 50))
    assert set(run.ran) == set(range(1, last + 1))
    assert len(run.ran) < 1.1 * last
    for place in places:
        place.leave()


@pytest.mark.usefixtures("_short_turns")
async def test_who_reads_together_stays_together_also_where_few_runs_are_kept(
    hub, feed, monkeypatch
):
    monkeypatch.setattr(renderings, "MOST_KEPT", EVENTS_AT_ONCE + 1)
    feed.events(range(1, 1001), "g")
    run = Echo()
    places = [Place(hub, run, since=0) for _ in range(20)]
    await until(lambda: all(place.is_live for place in places), 20)
    assert all(place.got == list(range(1, 1001)) for place in places)
    assert run.ran == list(range(1, 1001))
    for place in places:
        place.leave()


@pytest.mark.usefixtures("_short_turns")
async def test_who_has_little_left_does_not_wait_for_those_who_have_much(hub, feed):
    feed.events(range(1, 2001), "g")
    far = [Place(hub, Echo(), since=0) for _ in range(10)]
    near = Place(hub, Echo(), since=2000 - EVENTS_AT_ONCE, key="near")
    await until(lambda: near.is_live)
    assert near.got == list(range(2001 - EVENTS_AT_ONCE, 2001))
    assert not any(place.is_live for place in far)
    # Of the turns, it had nearly all.
    assert sum(len(place.got) for place in far) <= 2 * EVENTS_AT_ONCE
    await until(lambda: all(place.is_live for place in far), 20)
    for place in (near, *far):
        place.leave()


@pytest.mark.usefixtures("_short_turns")
async def test_who_leaves_while_it_waits_for_its_turn_holds_nobody_up(hub, feed):
    feed.events(range(1, 301), "g")
    places = [Place(hub, Echo(), since=0, key=key) for key in range(6)]
    await until(lambda: any(place.got for place in places))
    for place in places[:5]:
        place.leave()
    await until(lambda: places[5].is_live)
    assert places[5].got == list(range(1, 301))
    places[5].leave()
