"""Presence in the database: people join once and leave once, whatever runs at once or dies."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from careteam import attendance
from careteam.attendance import Seat, presence_changed
from careteam.models import Presence, PresenceLease, PresenceRoom

pytestmark = pytest.mark.django_db(transaction=True)

HERE, THERE = uuid.uuid4(), uuid.uuid4()


@pytest.fixture
def told():
    """What is announced, as (change, room, name)."""
    changes = []

    def note(change, room, name, **_):
        changes.append((change, room, name))

    presence_changed.connect(note)
    yield changes
    presence_changed.disconnect(note)


def sit(name, room="coffee", lease=HERE, person=None):
    """Take a seat; return it."""
    seat = Seat(uuid.uuid4(), lease, room, person or f"user:{name}", name)
    attendance.take(seat)
    return seat


def die(lease):
    """Let a process's lease run out."""
    PresenceLease.objects.filter(pk=lease).update(renewed_at=Now() - timedelta(seconds=31))


def test_who_comes_and_goes_is_announced(told):
    ann, bo = sit("ann"), sit("bo")
    assert attendance.present_in("coffee") == ["ann", "bo"]
    attendance.leave([ann.id])
    assert attendance.present_in("coffee") == ["bo"]
    attendance.leave([bo.id])
    assert told == [
        ("joined", "coffee", "ann"),
        ("joined", "coffee", "bo"),
        ("left", "coffee", "ann"),
        ("left", "coffee", "bo"),
    ]


def test_nothing_is_left_of_an_empty_room():
    attendance.leave([sit("ann").id])
    assert not PresenceRoom.objects.exists()
    assert not Presence.objects.exists()


def test_a_person_with_two_seats_joins_and_leaves_once(told):
    first, second = sit("ann"), sit("ann", lease=THERE)
    assert attendance.present_in("coffee") == ["ann"]
    attendance.leave([first.id])
    assert attendance.present_in("coffee") == ["ann"]
    assert told == [("joined", "coffee", "ann")]
    attendance.leave([second.id])
    assert told[1:] == [("left", "coffee", "ann")]


def test_two_people_of_one_name_are_two(told):
    sit("Anonymous", person="socket:1")
    second = sit("Anonymous", person="socket:2")
    assert attendance.present_in("coffee") == ["Anonymous", "Anonymous"]
    attendance.leave([second.id])
    assert attendance.present_in("coffee") == ["Anonymous"]
    assert len(told) == 3


def test_rooms_are_apart(told):
    sit("ann")
    tea = sit("ann", room="tea")
    attendance.leave([tea.id])
    assert attendance.present_in("coffee") == ["ann"]
    assert told[1:] == [("joined", "tea", "ann"), ("left", "tea", "ann")]


def test_the_same_again_changes_nothing(told):
    seat = sit("ann")
    attendance.take(seat)
    attendance.leave([seat.id])
    attendance.leave([seat.id])
    assert [change for change, *_ in told] == ["joined", "left"]


# ---- processes that die


def test_whose_process_died_leaves_once(told):
    sit("ann"), sit("bo"), sit("bo", lease=THERE), sit("ann", room="tea")
    attendance.sweep()
    assert len(told) == 3
    die(HERE)
    assert attendance.present_in("coffee") == ["bo"]
    for _ in range(2):
        attendance.sweep()
    assert told[3:] == [("left", "coffee", "ann"), ("left", "tea", "ann")]
    assert PresenceLease.objects.get().pk == THERE


def test_a_process_that_was_taken_for_dead_has_its_people_back(told):
    seat = sit("ann")
    die(HERE)
    attendance.sweep()
    stored = attendance.renew(HERE)
    assert stored == set()
    attendance.mend([seat], set())
    assert attendance.present_in("coffee") == ["ann"]
    assert [change for change, *_ in told] == ["joined", "left", "joined"]


def test_a_renewed_lease_is_alive(told):
    seat = sit("ann")
    die(HERE)
    assert attendance.renew(HERE) == {seat.id}
    attendance.sweep()
    assert attendance.present_in("coffee") == ["ann"]


def test_what_could_not_be_removed_goes_later(told):
    seat = sit("ann")
    attendance.mend([], {seat.id})
    assert told[1:] == [("left", "coffee", "ann")]


def test_many_at_once_are_announced_as_one_after_the_other(told):
    """Each of eight threads joins and leaves; changes alternate, and all are gone in the end."""

    def come_and_go():
        for _ in range(5):
            attendance.leave([sit("ann").id])
        connection.close()

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    changes = [change for change, *_ in told]
    assert set(changes[::2]) == {"joined"}
    assert set(changes[1::2]) == {"left"}
    assert len(changes) % 2 == 0
    assert not Presence.objects.exists()
