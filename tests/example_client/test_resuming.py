"""A watch goes on where it stopped, after whatever ended its connection or itself."""

import pytest

from example_client.errors import EventsMissed, OutputLost, Unreachable
from example_client.output import Output
from tests.example_client.watched import (
    DISCHARGED,
    NEW,
    confirm,
    discharged,
    end,
    failed,
    new,
    watched,
)


def then(begin, *payloads, ending=end):
    """Return a script of one connection: what begins it, events, and its end.

    Args:
        begin: called with the place after which each subscription is asked for.
        payloads: of either subscription.
        ending: called with the socket and a subscription's id.
    """

    async def script(server, new, changed):
        begin(server.after)
        await confirm(server, new, changed)
        for payload in payloads:
            is_new = "onNewPatient" in payload["data"]
            await server.send("next", new if is_new else changed, payload)
        await ending(server, new)

    return script


async def lose(server, op_id):
    await server.ws.close(code=1012)


def failing(*codes):
    """Return an end by an `error` with these codes; the connection stays."""

    async def fail(server, op_id):
        await server.send("error", op_id, [failed(code)["errors"][0] for code in codes])
        await server.ws.receive()

    return fail


class State:
    """A state file in memory."""

    def __init__(self, fails=False, **cursors):
        self.cursors = cursors
        self.saved = []
        self._fails = fails

    def load(self):
        return {**self.cursors}

    def save(self, cursors):
        if self._fails and self.saved:
            raise OutputLost("full")
        self.cursors = {**cursors}
        self.saved.append([*cursors.values()])


async def test_a_watch_begins_at_a_position_and_goes_on_after_each_subscriptions_last_event(serve):
    places = []
    await watched(
        serve,
        then(places.append, ending=lose),
        then(places.append, new("N1"), discharged("C1"), new("N2"), ending=lose),
        then(places.append, new("N3"), ending=lose),
        then(places.append),
    )
    assert places == [["position"] * 2, ["position"] * 2, ["N2", "C1"], ["N3", "C1"]]


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "TOO_MANY_SUBSCRIPTIONS"])
async def test_a_subscription_that_fails_for_now_is_begun_again(serve, code):
    places = []
    result = await watched(
        serve, then(places.append, NEW, ending=failing(code)), then(places.append, new("after"))
    )
    assert places[1] == ["new", "position"]
    assert result.kinds == ["NEW", "NEW"]
    assert f"({code}), trying again in" in result.status[1]


async def test_one_that_fails_at_the_very_first_is_not(serve):
    async def script(server, new, changed):
        await server.send("error", new, failed("UNAVAILABLE")["errors"])
        await server.ws.receive()

    result = await watched(serve, script)
    assert isinstance(result.error, Unreachable)
    assert result.status == []


async def test_an_event_that_needs_the_database_while_it_is_away_comes_once_more(serve):
    places = []

    async def fails(server, new, changed):
        await confirm(server, new, changed)
        await server.send("next", new, failed("UNAVAILABLE"))
        await server.ws.receive()

    result = await watched(serve, fails, then(places.append, NEW))
    assert places == [["position"] * 2]
    assert result.kinds == ["NEW"]


@pytest.mark.parametrize("code", ["CURSOR_EXPIRED", "BAD_CURSOR"])
async def test_where_the_server_cannot_go_on_it_is_told_what_is_missing(serve, code):
    places = []
    result = await watched(
        serve,
        then(places.append, NEW, DISCHARGED, ending=lose),
        then(places.append, ending=failing(code)),
        then(places.append),
    )
    assert places[1:] == [["new", "changed"], ["position", "changed"]]
    (told,) = [line for line in result.status if "missing" in line]
    expected = f"new patients may be missing here: No. ({code}); going on from now, "
    assert told == f"{expected}`patients` lists who is there"
    assert not result.status[-1].endswith("from where it stopped")


async def test_a_strict_watch_ends_instead(serve):
    state = State()
    lost = then(lambda places: None, ending=failing("CURSOR_EXPIRED"))
    result = await watched(serve, lost, strict=True, state=state)
    assert isinstance(result.error, EventsMissed)
    assert result.error.exit_code == 6
    assert str(result.error) == "new patients may be missing here: No. (CURSOR_EXPIRED)"
    # The next start meets the same, until somebody has looked after what is missing.
    assert state.cursors == {"onNewPatient": "position", "onPatientChanged": "position"}


async def test_the_place_is_kept_once_the_watch_has_begun_and_after_each_event(serve):
    state = State()
    await watched(serve, then(lambda places: None, NEW, DISCHARGED), state=state)
    start, *rest = state.saved
    assert start == ["position", "position"]
    assert rest == [["new", "position"], ["new", "changed"]]


async def test_a_kept_place_is_gone_on_from(serve):
    places = []
    state = State(onNewPatient="N", onPatientChanged="C")
    result = await watched(serve, then(places.append), state=state)
    assert places == [["N", "C"]]
    assert result.status[0].endswith(" from where it stopped")


async def test_a_refused_watch_leaves_nothing_behind(serve):
    async def script(server, new, changed):
        await server.send("next", changed, failed("BAD_INPUT"))
        await server.ws.receive()

    state = State()
    await watched(serve, script, state=state)
    assert state.saved == []


async def test_an_event_is_printed_before_it_counts_as_printed(serve):
    state = State(fails=True)
    result = await watched(serve, then(lambda places: None, NEW), state=state)
    assert isinstance(result.error, OutputLost)
    assert result.kinds == ["NEW"]
    assert state.cursors["onNewPatient"] == "position"


class Full(Output):
    """An output that takes no event."""

    def event(self, event):
        raise OutputLost("full")


async def test_what_cannot_be_printed_does_not_count_as_printed(serve, monkeypatch):
    monkeypatch.setattr("tests.example_client.watched.Output", Full)
    state = State()
    result = await watched(serve, then(lambda places: None, NEW), state=state)
    assert isinstance(result.error, OutputLost)
    assert state.cursors["onNewPatient"] == "position"
