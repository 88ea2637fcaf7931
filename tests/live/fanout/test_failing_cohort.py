"""A fault in a cohort itself ends its own subscriptions, so that their clients come back."""

import pytest

from live import metrics
from live.fanout.cohort import Cohort
from live.fanout.hub import Hub
from tests.live.engine import Echo, Feed, Slow, turns, until
from tests.live.place import Place, value

SECRET = "Ada Lovelace"


@pytest.fixture
def failing(monkeypatch):
    """Have the cohort with the key "bad" fail; return what mends it."""
    deliver = Cohort._deliver

    def fail_or_deliver(cohort, event, result):
        if cohort.key[0] == "bad":
            raise TypeError(SECRET)
        return deliver(cohort, event, result)

    monkeypatch.setattr(Cohort, "_deliver", fail_or_deliver)
    return lambda: monkeypatch.setattr(Cohort, "_deliver", deliver)


@pytest.mark.parametrize("run", [Echo, Slow])
@pytest.mark.parametrize("is_held_up", [False, True])
async def test_a_cohort_that_fails_ends_alone(failing, caplog, run, is_held_up):
    hub = Hub.current()
    feed = Feed(hub)
    before = value(metrics.restarts.labels(task="cohort"))
    bad, good = (Place(hub, run(), key=key) for key in ("bad", "good"))
    if is_held_up:  # another has this turn of the loop
        hub.scheduler.call(lambda: None)
    feed.events([1, 2], "g")
    await let_all(bad, good)
    assert [type(error) for error in bad.client.errors] == [TypeError]
    assert good.got == [1, 2]
    assert value(metrics.restarts.labels(task="cohort")) == before + 1
    assert SECRET not in caplog.text
    failing()
    again = Place(hub, Echo(), key="bad")
    feed.event(3, "g")
    await let_all(good)
    assert (bad.got, again.got, good.got) == ([], [3], [1, 2, 3])
    for place in (good, again):
        place.leave()
    assert hub._groups == hub._cohorts == {}


async def let_all(*places):
    await turns()
    for place in places:
        if isinstance(place.run, Slow):
            await place.run.let_all()
    await until(lambda: not Hub.current().scheduler._is_busy)
    await turns()


async def test_a_cohort_that_cannot_take_an_event_costs_the_others_nothing(monkeypatch, caplog):
    hub = Hub.current()
    feed = Feed(hub)
    bad, good = (Place(hub, Echo(), key=key) for key in ("bad", "good"))

    def refuse(event):
        raise TypeError(SECRET)

    monkeypatch.setattr(bad.member.cohort, "take", refuse)
    feed.event(1, "g")
    assert good.got == [1]
    assert SECRET not in caplog.text
    for place in (bad, good):
        place.leave()


async def test_a_client_that_cannot_even_be_ended_keeps_nobody_from_that(failing, monkeypatch):
    hub = Hub.current()
    feed = Feed(hub)
    run = Slow()
    stuck, other = (Place(hub, run, key="bad") for _ in range(2))

    def refuse(errors):
        raise TypeError(SECRET)

    monkeypatch.setattr(stuck.client, "fail", refuse)
    feed.event(1, "g")
    await let_all(stuck)
    assert [type(error) for error in other.client.errors] == [TypeError]
    assert stuck.member.cohort.is_idle
    stuck.leave()
