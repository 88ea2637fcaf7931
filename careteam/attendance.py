"""Who is present in which room: the database's part, the same for all processes. Sync.

A person is present in a room while there is a row of Presence for them. Joining and leaving
hold the room's lock, so that of two subscriptions of a person the first one only joins, and the
last one only leaves, wherever they run.
"""

import uuid
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.dispatch import Signal

from careteam.conf import conf
from careteam.models import Presence, PresenceLease, PresenceRoom

JOINED, LEFT = "joined", "left"

# Sent within the transaction, with `change`, `room` (its key) and `name` (the person's).
presence_changed = Signal()


class Seat(NamedTuple):
    """One subscription's presence: `person` in the room with key `room`, by a process's lease."""

    id: uuid.UUID
    lease: uuid.UUID
    room: str
    person: str
    name: str


def present_in(room: str) -> list[str]:
    """Return the names of those present in the room with this key, each person once, sorted."""
    present = Presence.objects.filter(room__key=room, lease_id__in=_living().values("pk"))
    people = present.order_by("person").values_list("person", "name").distinct()
    return sorted(name for _, name in people)


# ---- joining and leaving


@transaction.atomic
def take(seat: Seat) -> None:
    """Let somebody be present; announce it where they were not. Again, it changes nothing."""
    room = _locked(seat.room)
    # Else this one would be gone with the next sweep: the first heartbeat may yet be to come.
    PresenceLease.objects.get_or_create(pk=seat.lease, defaults={"renewed_at": Now()})
    was_there = room.present.filter(person=seat.person).exists()
    values = {"room": room, "lease_id": seat.lease, "person": seat.person, "name": seat.name}
    Presence.objects.get_or_create(pk=seat.id, defaults=values)
    if not was_there:
        _announce(JOINED, seat.room, seat.name)


def leave(seats: Collection[uuid.UUID]) -> None:
    """Let those leave who were present by these seats; announce who is not by another one."""
    _remove(Presence.objects.filter(pk__in=seats))


def _remove(present: "QuerySet[Presence]") -> None:
    for key in sorted(set(present.values_list("room__key", flat=True))):
        _remove_in(key, present)


@transaction.atomic
def _remove_in(key: str, present: "QuerySet[Presence]") -> None:
    room = _locked(key)
    people = dict(present.filter(room=room).values_list("person", "name"))
    present.filter(room=room).delete()
    stay = set(room.present.filter(person__in=people).values_list("person", flat=True))
    for person in sorted(people.keys() - stay):
        _announce(LEFT, key, people[person])
    if not room.present.exists():
        room.delete()


def _locked(key: str) -> PresenceRoom:
    """Return the room's row, made if need be, locked until the transaction ends."""
    while True:
        PresenceRoom.objects.get_or_create(key=key)
        # The last one to leave may have deleted it in between.
        room = PresenceRoom.objects.select_for_update().filter(key=key).first()
        if room is not None:
            return room


def _announce(change: str, room: str, name: str) -> None:
    presence_changed.send(None, change=change, room=room, name=name)


# ---- leases


def renew(lease: uuid.UUID) -> set[uuid.UUID]:
    """Say that the process with this lease is alive; return the seats stored as its."""
    if not PresenceLease.objects.filter(pk=lease).update(renewed_at=Now()):
        PresenceLease.objects.get_or_create(pk=lease, defaults={"renewed_at": Now()})
    return set(Presence.objects.filter(lease_id=lease).values_list("pk", flat=True))


def mend(missing: Iterable[Seat], left_over: Collection[uuid.UUID]) -> None:
    """Make what is stored what it should be, after a process was taken for dead and is not."""
    for seat in missing:
        take(seat)
    if left_over:
        leave(left_over)


def sweep() -> None:
    """Let those leave whose process no longer renews its lease."""
    living = _living().values("pk")
    _remove(Presence.objects.exclude(lease_id__in=living))
    PresenceLease.objects.exclude(pk__in=living).delete()


def _living() -> "QuerySet[PresenceLease]":
    oldest = Now() - timedelta(seconds=conf.PRESENCE_LEASE_SECONDS)
    return PresenceLease.objects.filter(renewed_at__gte=oldest)
