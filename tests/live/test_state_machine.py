"""Whatever happens in whatever order, each client gets what a simple model says it gets."""

import asyncio
import json

import pytest
from graphql import ExecutionResult
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from live import cohort, fanout
from live.fanout import Hub
from tests.live.engine import event

GROUPS = ("a", "b")
WARDS = ("east", "west")

some_groups = st.sets(st.sampled_from(GROUPS), min_size=1).map(sorted)
audiences = st.sampled_from([frozenset(), frozenset({"east"}), frozenset(WARDS)])
indices = st.integers(0, 1000)
hows = st.sampled_from(["at once", "at once", "waits", "waits", "fails", "skips"])
broadcasts = st.tuples(some_groups, st.sampled_from(WARDS), hows)


class Watcher:
    """One client's subscription, and what the model knows of it."""

    def __init__(self, groups, audience, limit, shared, leave):
        self.leave = leave
        self.groups, self.audience, self.limit, self.shared = groups, audience, limit, shared
        self.suspended = self.ended = False
        self.newest = None  # the number of the newest event, unless it is skipped
        self.expected, self.got, self.wrong = [], [], []

    @property
    def key(self):
        """Equal for those that share a run."""
        return ("document", self.limit, self.audience) if self.shared else self

    # ---- Receiver

    def deliver(self, body):
        """Take a notification, which has to be right at this very moment."""
        if self.ended:
            self.wrong.append("told after its end")
        if self.suspended:
            self.wrong.append("told while its rights are looked at")
        body = json.loads(body)
        if "errors" in body:
            self.got.append("error")
            return
        notification = body["data"]["event"]
        # What it shows is what the audience of now may see: not that of the broadcast.
        if notification["shown"] != (notification["ward"] in self.audience):
            self.wrong.append(f"{notification} under {self.audience}")
        self.got.append(notification["number"])

    def overflow(self):
        """There is no bound that this machine reaches."""
        self.wrong.append("overflow")

    def ended_by_server(self):
        """The application ended it: it leaves at once, as an operation does."""
        self.leave(self)


class Fanout(RuleBasedStateMachine):
    """Drives a real hub with its cohorts; publishes end at once or in any later order."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.hub = Hub()
        self.members = {}  # of watchers that have not ended
        self.past = []
        self.running = []
        self.number = 0

    def in_loop(self, function, *args):
        """Call `function` in the loop, as the hub's reader and the sockets do."""

        async def call():
            return function(*args)

        return self.loop.run_until_complete(call())

    def run_for(self, watcher):
        """Return the run of a watcher's cohort; like a real one, it knows the audience only."""
        audience = watcher.audience

        def run(payload):
            outcome = {**payload, "shown": payload["ward"] in audience}
            if payload["how"] == "waits":
                turn = self.loop.create_future()
                self.running.append(turn)
                return self.later(turn, outcome)
            if payload["how"] == "fails":
                raise KeyError("a publish that fails")
            return ExecutionResult({"event": None if payload["how"] == "skips" else outcome})

        return run

    async def later(self, turn, outcome):
        """End a publish when the machine says so."""
        await turn
        return ExecutionResult({"event": outcome})

    def choose(self, index, suspended=None):
        """Return one of the living watchers."""
        chosen = [w for w in self.members if suspended is None or w.suspended == suspended]
        return chosen[index % len(chosen)] if chosen else None

    def part(self, watcher):
        """End a subscription, whoever wanted it; call it in the loop."""
        watcher.ended = True
        self.hub.part(self.members.pop(watcher))
        self.past.append(watcher)

    # ---- what happens

    @rule(
        groups=some_groups,
        audience=audiences,
        limit=st.sampled_from([None, None, 1, 2]),
        shared=st.sampled_from([True, True, True, False]),
        count=st.integers(1, 4),
    )
    def subscribe(self, groups, audience, limit, shared, count):
        for _ in range(count):
            new = Watcher(groups, audience, limit, shared, self.part)
            run = self.run_for(new)
            self.members[new] = self.in_loop(self.hub.join, new, groups, new.key, run, limit)

    @rule(
        burst=st.lists(broadcasts, min_size=1, max_size=4),
        turn=st.sampled_from([0, 60]),
    )
    def broadcast(self, burst, turn):
        fanout.LONGEST_TURN_SECONDS = turn
        self.in_loop(self.take, burst)

    def take(self, burst):
        """Have the hub take events between which the loop does not turn."""
        for groups, ward, how in burst:
            self.number += 1
            payload = {"number": self.number, "ward": ward, "how": how}
            for watcher in self.members:
                if set(groups) & set(watcher.groups):
                    watcher.newest = None if how == "skips" else self.number
                    if how != "skips":
                        watcher.expected.append("error" if how == "fails" else self.number)
            self.hub.take(event(payload, *groups))
            fanout.LONGEST_TURN_SECONDS = 60

    @precondition(lambda self: self.members)
    @rule(index=indices, count=st.sampled_from([1, 1, 1, 3]))
    def leave(self, index, count):
        for watcher in list(self.members)[index % len(self.members) :][:count]:
            self.in_loop(self.part, watcher)

    @precondition(lambda self: len(self.members) > 6)
    @rule(group=st.sampled_from(GROUPS))
    def unsubscribe_from_the_server(self, group):
        before = list(self.members)
        self.in_loop(self.hub.take, {"type": "live.unsubscribe", "groups": [group]})
        for watcher in before:
            assert watcher.ended == (group in watcher.groups)

    @precondition(lambda self: self.members)
    @rule(index=indices)
    def rights_are_looked_at(self, index):
        watcher = self.choose(index)

        def suspend():
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
            if watcher.limit is None:
                assert watcher.got == watcher.expected[: len(watcher.got)]

    def teardown(self):
        for watcher in list(self.members):
            if watcher.suspended:
                self.readmit(watcher, watcher.audience)
        self.finish()
        try:
            self.check_the_end()
        finally:
            self.loop.close()

    def finish(self):
        """Let everything end that is under way."""
        idle = 0
        while idle < 20:
            idle = 0 if self.running else idle + 1
            while self.running:
                self.a_publish_ends(0)
            self.the_loop_turns(1)

    def check_the_end(self):
        for watcher in self.members:
            if watcher.limit is None:
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
        cohorts = {(watcher.key, tuple(watcher.groups)) for watcher in self.members}
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


class TestFanout(Fanout.TestCase):
    @pytest.fixture(autouse=True)
    def _small_parts(self, monkeypatch):
        monkeypatch.setattr(cohort, "MEMBERS_AT_ONCE", 2)
        monkeypatch.setattr(fanout, "LONGEST_TURN_SECONDS", fanout.LONGEST_TURN_SECONDS)
