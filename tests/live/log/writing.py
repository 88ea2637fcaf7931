"""Writing to the event log as its tests do, and what it holds then."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from live.log import numbering, store
from live.log.entry import Entry
from live.log.pending import settled_end
from live.models import LoggedEvent


def write(*texts):
    """Append in the present transaction."""
    return numbering.append([Entry(text.encode()) for text in texts])


def append_and_roll_back(*texts):
    """Append in a transaction, or a savepoint, that leaves nothing."""
    with transaction.atomic():
        write(*texts)
        transaction.set_rollback(True)


def append(*texts):
    """Append in a transaction of its own; return the place after all that has committed then."""
    with transaction.atomic():
        write(*texts)
    return settled_end()


def held():
    """Return all that the log holds, once what is pending has its numbers."""
    settled_end()
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
                write(*texts)
                stands += texts
        if dice.random() < 0.3:
            transaction.set_rollback(True)
            stands = []
    return stands


def age(*numbers, days=2):
    """Make these records older."""
    written = timezone.now() - timedelta(days=days)
    LoggedEvent.objects.filter(number__in=numbers).update(written_at=written)
