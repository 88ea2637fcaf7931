"""Whatever happens to a hub's subscriptions, each gets each of its events once, in order."""

import asyncio

import hypothesis
import pytest
from django.conf import settings as project
from hypothesis import strategies as st

from live.fanout.hub import Hub
from live.log import records
from tests.live.engine import Echo, Feed, Slow, turns
from tests.live.place import Place

EVENTS = ["event", "event", "event", "other", "end"]
CHANGES = ["suspend", "readmit", "take", "stop", "leave"]
TIMES = ["let", "turn", "turn"]
STEP = st.tuples(st.sampled_from([*EVENTS, *CHANGES, *TIMES]), st.integers(0, 3))


class Play:
    """A hub and up to four subscriptions, to which anything may happen at any time."""

    def __init__(self):
        self.hub = Hub()
        self.feed = Feed(self.hub)
        self.number = 0
        self.places = {}
        self.done = []
        self.slow = Slow()
        self.echo = Echo()

    def run(self, event):
        """Run every other event slowly."""
        return (self.echo if event.number % 2 else self.slow)(event)

    async def step(self, what, which):
        """Do something to everybody, or to one; who is not there comes (back)."""
        match what:
            case "event":
                self.feed.event(self.hub.log.position + 1, "g")
            case "other":
                self.feed.event(self.hub.log.position + 1, "h")
            case "end":
                self.feed.take(records.unsubscribe(["g"]))
            case "let":
                await self.let(1)
            case "turn":
                await turns(which + 1)
            case _ if which in self.places:
                self.change(what, which, self.places[which])
            case _:
                self.join(which)

    def change(self, what, which, place):
        match what:
            case "suspend":
                place.suspend()
            case "readmit":
                place.readmit(f"key {self.hub.log.position % 2}")
            case "take":
                place.client.take_more(which + 1)
            case "stop":
                place.client.take_no_more()
            case "leave":
                self.leave(which)

    async def let(self, count):
        for turn in self.slow.held[:count]:
            turn.done() or turn.set_result(None)
        del self.slow.held[:count]
        await turns()

    def join(self, which):
        since = max(0, self.hub.log.position - (0, 0, 2, 7)[which])
        place = self.places[which] = Place(self.hub, self.run, since)
        place.began, place.since = self.hub.log.position, since
        place.client.on_end = lambda: self.leave(which)

    def leave(self, which):
        place = self.places.pop(which)
        place.leave()
        self.done.append(place)

    async def finish(self):
        """Let everybody have what is left."""
        async with asyncio.timeout(5):
            while self.slow.held or not all(place.is_live for place in self.places.values()):
                for place in self.places.values():
                    place.readmit()
                    place.client.take_more()
                await self.let(10)

    def check(self):
        for place in [*self.places.values(), *self.done]:
            assert place.client.errors == []
            expected, is_ended = self.expected(place)
            if place in self.done and not place.client.ends:
                assert place.got == expected[: len(place.got)]
            else:
                assert place.got == expected
                assert is_ended == bool(place.client.ends) == (place in self.done)

    def expected(self, place):
        """Return the events that are the subscription's, and whether it was ended after them."""
        expected = []
        for number in range(place.since + 1, len(self.feed.log.rows) + 1):
            record = records.unpack(self.feed.log.rows[number])
            if record.kind is records.Kind.UNSUBSCRIBE and number > place.began:
                return expected, True
            if record.kind is records.Kind.EVENT and "g" in record.groups:
                expected.append(number)
        return expected, False


@hypothesis.settings(deadline=None, max_examples=300)
@hypothesis.given(
    st.lists(STEP, max_size=100), st.sampled_from([2, 1000]), st.sampled_from([3, 2000])
)
def test_whatever_happens_each_gets_each_of_its_events_once_in_order(steps, waiting, in_memory):
    async def play():
        it = Play()
        for what, which in steps:
            await it.step(what, which)
        await it.finish()
        it.check()
        for place in list(it.places.values()):
            place.leave()
        assert it.hub._cohorts == it.hub._groups == {}

    limits = {"NOTIFICATION_QUEUE_LIMIT": waiting, "EVENTS_IN_MEMORY": in_memory}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "LIVE", limits)
        asyncio.run(play())
