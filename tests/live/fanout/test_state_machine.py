"""Whatever happens in whatever order, each client gets what a simple model says it gets."""

import asyncio
import json
import math

import pytest
from graphql import ExecutionResult
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from live.concurrency import scheduler
from live.fanout import catch_up, cohort, event_buffer, hub, renderings, transient_buffer
from live.fanout.hub import Hub
from live.fanout.member import Member
from live.log import records
from tests.live.engine import Feed, event_record

# Of durable subscriptions, and of those past the log.
GROUPS = {True: ("a", "b"), False: ("passing a", "passing b")}
WARDS = ("east", "west")
END = "end"
# Turns of the loop that all that is under way surely has ended in.
MANY_TURNS = 10_000

durable_or_not = st.sampled_from([True, True, True, False])
some_groups = st.sets(st.sampled_from([0, 1]), min_size=1).map(sorted)
audiences = st.sampled_from([frozenset(), frozenset({"east"}), frozenset(WARDS)])
indices = st.integers(0, 1000)
hows = st.sampled_from(["at once", "at once", "waits", "waits", "fails", "skips"])
broadcasts = st.tuples(durable_or_not, some_groups, st.sampled_from(WARDS), hows)


class Watcher:
    """One client's subscription, and what the model knows of it."""

    def __init__(self, durable, groups, audience, limit, shared, leave):
        self.durable, self.groups = durable, frozenset(GROUPS[durable][i] for i in groups)
        self.audience, self.limit, self.shared, self.leave = audience, limit, shared, leave
        self.suspended = self.ended = False
        self.expected, self.got, self.wrong = [], [], []
        self.newest = None  # what is expected last, unless it is skipped
        self.takes = math.inf
        self.has_room = asyncio.Event()

    @property
    def key(self):
        """Equal for those that share a run."""
        return ("document", self.limit, self.audience) if self.shared else self

    @property
    def loses_nothing(self):
        """Whether it gets every event; else, the newest of them where it is slow."""
        return self.durable and self.limit is None

    def is_to_get(self, what):
        """Expect an event's number, "error", or END; None is an event that is skipped."""
        if self.newest != END:
            self.newest = what
            self.expected += [] if what is None else [what]

    # ---- Receiver

    def deliver(self, body):
        """Take a notification, which has to be right at this very moment; False: no room."""
        if self.ended:
            self.wrong.append("told after its end")
        if self.suspended:
            self.wrong.append("told while its rights are looked at")
        if not self.takes and self.limit is None:
            return False
        self.takes -= 1
        self.note(json.loads(body))
        return True

    def note(self, body):
        """Remember a notification."""
        if "errors" in body:
            self.got.append("error")
            return
        notification = body["data"]["event"]
        # What it shows is what the audience of now may see: not that of the broadcast.
        if notification["shown"] != (notification["ward"] in self.audience):
            self.wrong.append(f"{notification} under {self.audience}")
        self.got.append(notification["number"])

    async def room(self):
        """Return when there is room."""
        self.has_room.clear()
        await self.has_room.wait()

    def fail(self, errors):
        """There is nothing that would end a subscription with an error."""
        self.wrong += errors

    def ended_by_server(self):
        """The application ended it: it leaves at once, as an operation does."""
        if self.ended or self.suspended:
            self.wrong.append("ended when it is not there")
        else:
            self.got.append(END)
            self.leave(self)


class Fanout(RuleBasedStateMachine):
    """Drives a real hub with its cohorts; publishes end at once or in any later order."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.hub = Hub()
        self.feed = Feed(self.hub)
        self.members = {}  # of watchers that have not ended
        self.past = []
        self.running = []
        self.number = 0
        # (number in the log, groups, what those who come back are to get)
        self.history = []

    @initialize(seconds=st.sampled_from([0, 60]))
    def choose_how_long_a_turn_is(self, seconds):
        self.seconds = scheduler.LONGEST_SECONDS = seconds

    def in_loop(self, function, *args):
        """Call `function` in the loop, as the hub's reader and the sockets do."""

        async def call():
            return function(*args)

        return self.loop.run_until_complete(call())

    def run_for(self, watcher):
        """Return the run of a watcher's cohort; like a real one, it knows the audience only."""
        audience = watcher.audience

        def run(event):
            outcome = {**event.payload, "shown": event.payload["ward"] in audience}
            if outcome["how"] == "waits":
                turn = self.loop.create_future()
                self.running.append(turn)
                return self.later(turn, outcome)
            if outcome["how"] == "fails":
                raise KeyError("a publish that fails")
            return ExecutionResult({"event": None if outcome["how"] == "skips" else outcome})

        return run

    async def later(self, turn, outcome):
        """End a publish when the machine says so."""
        await turn
        return ExecutionResult({"event": outcome})

    def choose(self, index, **having):
        """Return one of the living watchers that have these attributes."""
        chosen = [
            watcher
            for watcher in self.members
            if all(getattr(watcher, name) == value for name, value in having.items())
        ]
        return chosen[index % len(chosen)] if chosen else None

    def part(self, watcher):
        """End a subscription, whoever wanted it; call it in the loop."""
        watcher.ended = True
        self.hub.part(self.members.pop(watcher))
        self.past.append(watcher)

    def part_if_there(self, watcher):
        """End a subscription unless the application's end, which was under way, came first."""
        if not watcher.ended:
            self.part(watcher)

    def take(self, durable, record):
        """Have the hub take a record; return its number."""
        if durable:
            return self.feed.take(record)
        self.hub.pass_on(record)
        return self.hub.transient.position

    def tell_the_model(self, durable, groups, number, what):
        """Note what everybody in `groups` is to get; None is a skipped event."""
        if durable:
            self.history.append((number, groups, what))
        for watcher in self.members:
            if not watcher.groups.isdisjoint(groups):
                watcher.is_to_get(what)

    # ---- what happens

    @rule(
        durable=durable_or_not,
        groups=some_groups,
        audience=audiences,
        limit=st.sampled_from([None, None, None, 1, 2]),
        shared=st.sampled_from([True, True, True, False]),
        count=st.integers(1, 4),
        back=st.sampled_from([0, 0, 0, 1, 4, 1000]),
    )
    def subscribe(self, durable, groups, audience, limit, shared, count, back):
        for _ in range(count):
            new = Watcher(durable, groups, audience, limit, shared, self.part)
            source = self.hub.source(durable)
            since = max(0, source.position - back) if durable else source.position
            for number, where, what in self.history:
                # What ended before it came was not its.
                if number > since and what != END and not new.groups.isdisjoint(where):
                    new.is_to_get(what)
            self.members[new] = Member(new, new.groups, source, since, limit)
            self.in_loop(self.hub.join, self.members[new], new.key, self.run_for(new))

    @rule(
        burst=st.lists(broadcasts, min_size=1, max_size=4),
        turn=st.sampled_from([0, 60]),
    )
    def broadcast(self, burst, turn):
        scheduler.LONGEST_SECONDS = turn
        self.in_loop(self.take_all, burst)

    def take_all(self, burst):
        """Have the hub take events between which the loop does not turn."""
        for durable, indices, ward, how in burst:
            self.number += 1
            groups = [GROUPS[durable][i] for i in indices]
            what = {"fails": "error", "skips": None}.get(how, self.number)
            number = self.hub.source(durable).position + 1
            self.tell_the_model(durable, groups, number, what)
            payload = {"number": self.number, "ward": ward, "how": how}
            assert self.take(durable, event_record(payload, *groups)) == number
            scheduler.LONGEST_SECONDS = self.seconds

    @precondition(lambda self: self.members)
    @rule(index=indices, count=st.sampled_from([1, 1, 1, 3]))
    def leave(self, index, count):
        for watcher in list(self.members)[index % len(self.members) :][:count]:
            self.in_loop(self.part_if_there, watcher)

    @precondition(lambda self: len(self.members) > 6)
    @rule(durable=durable_or_not, index=st.sampled_from([0, 1]))
    def unsubscribe_from_the_server(self, durable, index):
        groups = [GROUPS[durable][index]]
        number = self.hub.source(durable).position + 1
        self.tell_the_model(durable, groups, number, END)
        self.in_loop(self.take, durable, records.unsubscribe(groups))

    @precondition(lambda self: self.members)
    @rule(index=indices, count=st.sampled_from([0, 0, 1, 2]))
    def a_client_reads_no_more(self, index, count):
        self.choose(index).takes = count

    @precondition(lambda self: self.members)
    @rule(index=indices, count=st.sampled_from([1, 2, math.inf]))
    def a_client_reads_on(self, index, count):
        self.make_room(self.choose(index), count)

    def make_room(self, watcher, count):
        """Have a client take more."""
        watcher.takes = count
        self.in_loop(watcher.has_room.set)

    @precondition(lambda self: self.members)
    @rule(index=indices)
    def rights_are_looked_at(self, index):
        watcher = self.choose(index)

        def suspend():
            if not watcher.ended:
                watcher.suspended = True
                self.hub.suspend(self.members[watcher])

        self.in_loop(suspend)

    @precondition(lambda self: self.choose(0, suspended=True))
    @rule(index=indices, audience=audiences)
    def rights_are_known(self, index, audience):
        self.readmit(self.choose(index, suspended=True), audience)

    def readmit(self, watcher, audience):
        def readmit():
            watcher.suspended, watcher.audience = False, audience
            self.hub.readmit(self.members[watcher], watcher.key, self.run_for(watcher))

        self.in_loop(readmit)

    @precondition(lambda self: self.running)
    @rule(index=indices)
    def a_publish_ends(self, index):
        turn = self.running.pop(index % len(self.running))
        if not turn.cancelled():
            turn.set_result(None)

    @rule(count=st.integers(1, 4))
    def the_loop_turns(self, count):
        for _ in range(count):
            self.in_loop(lambda: None)

    # ---- what holds

    @invariant()
    def nobody_gets_more_than_there_is(self):
        for watcher in [*self.members, *self.past]:
            assert watcher.wrong == []
            assert len(watcher.got) <= len(watcher.expected)
            if watcher.loses_nothing:
                assert watcher.got == watcher.expected[: len(watcher.got)]

    def teardown(self):
        for watcher in list(self.members):
            self.make_room(watcher, math.inf)
            if watcher.suspended and not watcher.ended:
                self.readmit(watcher, watcher.audience)
        try:
            self.finish()
            self.check_the_end()
        finally:
            self.loop.close()

    def finish(self):
        """Let everything end that is under way."""
        for _ in range(MANY_TURNS):
            while self.running:
                self.a_publish_ends(0)
            self.the_loop_turns(1)
            if not self.running and not asyncio.all_tasks(self.loop):
                return
        raise AssertionError("something is under way for ever")

    def check_the_end(self):
        for watcher in self.members:
            # Who was ended has left, and is none of them.
            assert watcher.newest != END
            if watcher.loses_nothing:
                assert watcher.got == watcher.expected
            else:
                # It may miss some, but neither their order nor the newest. (One that is
                # skipped makes others drop all the same: nobody knows before it runs.)
                rest = iter(watcher.expected)
                assert all(number in rest for number in watcher.got)
                if watcher.newest is not None:
                    assert watcher.got[-1:] == watcher.expected[-1:]
        self.nobody_gets_more_than_there_is()
        # All who may share do so again, and nothing stays of those who left.
        cohorts = {(watcher.key, watcher.groups) for watcher in self.members}
        assert len(self.hub._cohorts) == len(cohorts)
        for watcher in list(self.members):
            self.in_loop(self.part, watcher)
        assert (self.hub._cohorts, self.hub._groups) == ({}, {})


Fanout.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

# So small that what is rare happens all the time.
SMALL = {
    (cohort, "MEMBERS_AT_ONCE"): 2,
    (renderings, "MOST_KEPT"): 2,
    (hub, "MOST_KEPT"): 2,
    (transient_buffer, "MOST_KEPT"): 2,
    (event_buffer, "PAGE"): 3,
    (catch_up, "EVENTS_AT_ONCE"): 2,
}


class TestFanout(Fanout.TestCase):
    @pytest.fixture(autouse=True)
    def _small_parts(self, monkeypatch, settings):
        settings.LIVE = {"EVENTS_IN_MEMORY": 4, "NOTIFICATION_QUEUE_LIMIT": 2}
        for (module, name), value in SMALL.items():
            monkeypatch.setattr(module, name, value)
        # The machine sets these; here they are restored.
        monkeypatch.setattr(scheduler, "LONGEST_SECONDS", scheduler.LONGEST_SECONDS)
