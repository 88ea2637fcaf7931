"""The hub: each record once, to every cohort whose groups hold it, and to the sockets."""

import asyncio

import msgpack
import pytest

from live import metrics
from live.concurrency import scheduler as scheduler_module
from live.fanout.hub import Hub
from live.fanout.transient_buffer import MOST_KEPT
from live.identity import rights_cache
from live.log import records
from live.log.cursor import Cursor
from tests.live.engine import EPOCH, Echo, Feed, Slow, Socket, event_record, until
from tests.live.place import Place, value

SECRET = "Ada Lovelace"


@pytest.fixture
async def hub():
    hub = Hub.current()
    yield hub
    assert hub._groups == hub._cohorts == {}


@pytest.fixture
def feed(hub):
    return Feed(hub)


@pytest.fixture
def socket(hub):
    """A socket of the hub's, which does not make it listen."""
    socket = Socket()
    hub.sockets.add(socket)
    yield socket
    hub.sockets.discard(socket)


def leave(*places):
    for place in places:
        place.leave()


# ---- members


async def test_nothing_stays_of_members_who_left(hub, feed):
    gauges = (metrics.subscriptions, metrics.cohorts)
    before = [value(gauge) for gauge in gauges]
    places = [Place(hub, Echo(), key=n % 3, groups=f"a g{n}") for n in range(9)]
    assert value(metrics.subscriptions) == before[0] + 9
    leave(*places, *places)
    assert [value(gauge) for gauge in gauges] == before
    assert hub._groups == hub._cohorts == {}


async def test_nothing_stays_of_who_left_while_suspended(hub, feed):
    before = value(metrics.subscriptions)
    place = Place(hub, Echo())
    place.suspend()
    leave(place, place)
    place.readmit()
    feed.event(1, "g")
    assert place.got == []
    assert value(metrics.subscriptions) == before


async def test_equal_keys_share_a_run_if_their_groups_are_equal_too(hub, feed):
    run, other_run = Echo(), Echo()
    both = [Place(hub, run, groups="a b"), Place(hub, other_run, groups="b a")]
    alone = Place(hub, other_run, groups="a")
    feed.event(1, "a")
    feed.event(2, "b")
    assert [place.got for place in both] == [[1, 2], [1, 2]]
    assert alone.got == [1]
    assert (run.ran, other_run.ran) == ([1, 2], [1])
    leave(*both, alone)


async def test_an_event_in_several_groups_of_a_member_comes_once(hub, feed):
    run = Echo()
    place = Place(hub, run, groups="a b")
    feed.event(1, "a", "b", "c")
    feed.event(2, "c")
    assert place.got == run.ran == [1]
    leave(place)


async def test_who_joins_hears_of_nothing_before(hub, feed):
    feed.event(1, "g")
    place = Place(hub, Echo())
    feed.event(2, "g")
    assert place.got == [2]
    leave(place)


async def test_who_leaves_hears_of_nothing_after(hub, feed):
    run = Slow()
    place = Place(hub, run)
    feed.event(1, "g")
    leave(place)
    await run.let_all()
    feed.event(2, "g")
    assert place.got == []
    assert run.ran == [1]


async def test_who_is_readmitted_joins_those_who_share_its_key_again(hub, feed):
    run = Echo()
    places = [Place(hub, run) for _ in range(3)]
    for place in places:
        place.suspend()
    assert hub._cohorts == {}
    feed.event(1, "g")
    for place in places:
        place.readmit()
    await until(lambda: all(place.is_live for place in places))
    assert len(hub._cohorts) == 1
    feed.event(2, "g")
    assert run.ran == [1, 2]
    assert [place.got for place in places] == [[1, 2]] * 3
    leave(*places)


async def test_an_end_reaches_the_groups_members_only(hub, feed):
    one, other = Place(hub, Echo(), groups="a"), Place(hub, Echo(), groups="b")
    feed.take(records.unsubscribe(["a"]))
    feed.event(2, "a", "b")
    assert (one.client.ends, other.client.ends) == (1, 0)
    assert (one.got, other.got) == ([], [2])
    leave(other)


# ---- past the log


async def test_what_passes_the_log_has_no_place_in_it(hub, feed):
    logged = Place(hub, Echo(), groups="a")
    passing = Place(hub, Echo(), groups="b", durable=False)
    hub.pass_on(event_record("passes", "b"))
    feed.event("stays", "a")
    assert (logged.got, passing.got) == (["stays"], ["passes"])
    assert hub.log.position == 1
    leave(logged, passing)


async def test_past_the_log_an_end_has_its_place_among_the_events(hub):
    run = Slow()
    place = Place(hub, run, durable=False)
    hub.pass_on(event_record(1, "g"))
    hub.pass_on(records.unsubscribe(["g"]))
    hub.pass_on(event_record(3, "g"))
    await run.let_all()
    assert (place.got, place.client.ends) == ([1], 1)


async def test_past_the_log_the_newest_win_where_publish_is_slow(hub):
    run = Slow()
    place = Place(hub, run, durable=False, limit=2)
    for number in range(1, 10):
        hub.pass_on(event_record(number, "g"))
    await run.let_all()
    assert place.got == [1, 8, 9]
    leave(place)


async def test_past_the_log_memory_is_bounded_without_a_limit_too(hub):
    run = Slow()
    place = Place(hub, run, durable=False)
    last = 2 * MOST_KEPT
    for number in range(last + 1):
        hub.pass_on(event_record(number, "g"))
    await run.let_all()
    assert place.got == [0, *range(last - MOST_KEPT + 1, last + 1)]
    leave(place)


async def test_past_the_log_who_is_suspended_gets_what_came_meanwhile(hub):
    place = Place(hub, Echo(), durable=False)
    place.suspend()
    for number in (1, 2):
        hub.pass_on(event_record(number, "g"))
    place.readmit()
    await until(lambda: place.is_live)
    hub.pass_on(event_record(3, "g"))
    assert place.got == [1, 2, 3]
    leave(place)


# ---- what is told to the sockets


async def test_rights_and_kicks_are_told_to_every_socket(hub, feed, socket):
    feed.take(records.rights([1, 2]))
    feed.take(records.rights(None))
    feed.take(records.kick([3]))
    assert socket.told == [
        ("rights", frozenset({1, 2})),
        ("rights", None),
        ("kicked", frozenset({3})),
    ]


async def test_what_was_recalled_of_rights_is_forgotten_before_sockets_look(hub, socket, feed):
    user = type("User", (), {"pk": 1})()
    looks = []

    def look_up(user):
        looks.append(1)
        return len(looks)

    asked = []
    socket.rights_changed = lambda users: asked.append(asyncio.ensure_future(ask()))

    async def ask():
        return await rights_cache.cached_rights(user, look_up)

    assert await ask() == await ask() == 1
    feed.take(records.rights([1]))
    assert await asked[-1] == 2
    hub.begin(Cursor(EPOCH, 1), missed=False)
    assert await asked[-1] == 3


async def test_who_watches_is_told_of_events_that_nobody_has_any_more(hub, feed, socket):
    hub.begin(Cursor(EPOCH, 5), missed=True)
    assert socket.told == [("lost",)]
    assert hub.log.position == value(metrics.position) == 5


async def test_another_log_s_numbers_are_not_those_of_the_former(hub, feed):
    feed.events(range(1, 6), "g")
    assert hub.log.holds(2)
    hub.begin(Cursor(EPOCH + 1, 5), missed=True)
    assert not hub.log.holds(2)
    place = Place(hub, Echo())
    hub.take(EPOCH + 1, 6, records.pack(event_record("new", "g")))
    assert place.got == ["new"]
    leave(place)


# ---- what goes wrong


LATER_RELEASE = msgpack.packb([99, ["g"], b"Ada Lovelace"])


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"Ada Lovelace", LATER_RELEASE])
async def test_a_record_that_is_none_harms_nothing(hub, feed, caplog, packed):
    place = Place(hub, Echo())
    hub.take(EPOCH, 1, packed)
    hub.take(EPOCH, 2, records.pack(event_record(2, "g")))
    assert place.got == [2]
    assert hub.log.position == 2
    assert "not understood" in caplog.text
    assert SECRET not in caplog.text
    leave(place)


async def test_a_record_that_cannot_be_handled_harms_no_later_one(hub, feed, caplog):
    place = Place(hub, Echo())
    feed.take(records.Record(records.Kind.KICK, (), None))  # says of nobody that he is to go
    feed.event(2, "g")
    assert place.got == [2]
    assert "A record was not handled: TypeError" in caplog.text
    leave(place)


MESSAGES = [
    {},
    {"type": "no.such"},
    {"type": "live.log", "records": [b"Ada Lovelace"]},
    {"type": "live.log", "epoch": 1, "last": "Ada Lovelace", "records": []},
    {"type": "live.passing"},
    {"type": "live.passing", "record": b"Ada Lovelace"},
]


@pytest.mark.parametrize("message", MESSAGES)
async def test_a_message_that_is_none_harms_nothing(hub, feed, caplog, message):
    hub._follower._begin(Cursor(1, 0), missed=False)
    place = Place(hub, Echo(), durable=False)
    await hub.listener.hear(message)
    await hub.listener.hear({"type": "live.passing", "record": records.pack(event_record(1, "g"))})
    assert place.got == [1]
    assert "not understood" in caplog.text
    assert SECRET not in caplog.text
    leave(place)


@pytest.fixture
def failing(hub):
    """Have a socket in front of all others fail, whatever it is told."""

    def fail(*told):
        raise KeyError(SECRET)

    failing, others = Socket(), list(hub.sockets)
    failing.rights_changed = failing.kicked = failing.events_lost = fail
    hub.sockets = dict.fromkeys([failing, *others])
    yield failing
    hub.sockets = set(others)


async def test_a_socket_that_fails_is_closed_and_keeps_no_other_from_being_told(
    hub, caplog, failing
):
    """Else one of them would go on showing what its user may not see any more."""
    told = Socket()
    hub.sockets[told] = None
    feed = Feed(hub)
    place = Place(hub, Echo())
    feed.take(records.rights([1]))
    feed.take(records.kick([2]))
    feed.event(3, "g")
    hub.begin(Cursor(EPOCH, 9), missed=True)
    assert told.told == [
        ("rights", None),
        ("rights", frozenset({1})),
        ("kicked", frozenset({2})),
        ("lost",),
    ]
    assert place.got == [3]
    assert "A socket was not told: KeyError" in caplog.text
    assert SECRET not in caplog.text
    assert failing.told == [("failed", "KeyError")] * 4
    leave(place)


# ---- the loop's turns


async def test_many_cohorts_are_served_over_several_turns_each_in_order(hub, feed, monkeypatch):
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)
    places = [Place(hub, Echo(), key=n) for n in range(50)]
    feed.events(range(3), "g")
    assert sum(len(place.got) for place in places) == 1
    most = 0
    while places[-1].got != [0, 1, 2]:
        had = sum(len(place.got) for place in places)
        await asyncio.sleep(0)
        most = max(most, sum(len(place.got) for place in places) - had)
    assert all(place.got == [0, 1, 2] for place in places)
    assert most == 1
    leave(*places)


async def test_who_leaves_before_its_turn_hears_nothing_and_holds_nobody_up(hub, feed, monkeypatch):
    monkeypatch.setattr(scheduler_module, "LONGEST_SECONDS", 0)
    first = Place(hub, Echo(), key="first")  # has the turn in which the events come
    leaves, stays = Place(hub, Echo(), key="leaves"), Place(hub, Echo(), key="stays")
    feed.events([1, 2], "g")
    leave(leaves)
    await until(lambda: stays.got == [1, 2])
    assert leaves.got == []
    feed.event(3, "g")
    await until(lambda: stays.got == [1, 2, 3])
    leave(first, stays)
