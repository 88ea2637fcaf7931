"""How records get their numbers: without holes, and in the order of the commits.

Where many write at once (PostgreSQL), a record is pending until its transaction has committed,
and gets its number after that, so that no writer waits for another. Where one writes at a time
(SQLite), it gets the number in the transaction.
"""

from collections.abc import Sequence
from types import ModuleType

from django.db import connections, transaction

from live.log import counter, numbering_after_commit, numbering_in_transaction
from live.log.entry import Entry, Numbered


def append(entries: Sequence[Entry]) -> Numbered | None:
    """Append within the caller's transaction; return None where numbers come after its commit.

    Raises TransactionManagementError outside a transaction.
    """
    if not connections[counter.database()].in_atomic_block:
        raise transaction.TransactionManagementError("the log is appended to in a transaction")
    return _present().append(entries)


def number() -> Numbered | None:
    """Give numbers to what was committed and has none, the oldest first; a part of many.

    It is durable when this returns. Return None where nothing was pending, and within a
    transaction: the numbers would be given only if it commits, and everybody would wait for it.
    """
    if connections[counter.database()].in_atomic_block:
        return None
    return _present().number()


def _present() -> ModuleType:
    vendor = connections[counter.database()].vendor
    return numbering_after_commit if vendor == "postgresql" else numbering_in_transaction
