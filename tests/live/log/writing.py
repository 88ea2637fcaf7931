"""Writing to the event log as its tests do, and what it holds then."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from live.log import store
from live.models import LoggedEvent


def append_and_roll_back(*texts):
    """Append in a transaction, or a savepoint, that leaves nothing."""
    with transaction.atomic():
        store.append([text.encode() for text in texts])
        transaction.set_rollback(True)


def append(*texts):
    """Append in a transaction of its own."""
    with transaction.atomic():
        return store.append([text.encode() for text in texts])


def held():
    """Return all that the log holds."""
    return [(number, packed.decode()) for number, packed in store.read(1, 10**9)]


def write_at_random(dice, name, depth=0):
    """Append in nested transactions, some of which roll back; return what should stand."""
    stands = []
    with transaction.atomic():
        for _ in range(dice.randint(1, 3)):
            if depth < 3 and dice.random() < 0.4:
                stands += write_at_random(dice, name, depth + 1)
            else:
                texts = [f"{name} {dice.random()}" for _ in range(dice.randint(1, 3))]
                store.append([text.encode() for text in texts])
                stands += texts
        if dice.random() < 0.3:
            transaction.set_rollback(True)
            stands = []
    return stands


def age(*numbers, days=2):
    """Make these records older."""
    written = timezone.now() - timedelta(days=days)
    LoggedEvent.objects.filter(number__in=numbers).update(written_at=written)
