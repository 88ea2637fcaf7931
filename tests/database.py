"""What a test left in the database is undone by a copy of the file's pages, in a millisecond.

Django empties each table instead and tells all applications that there was a migration: a
third of the time that most tests take. What comes back here is what the migrations left, key
by key, so that no test finds other keys because of one that ran before it.
"""

import sqlite3
import time

from django.db import connection
from django.test import TransactionTestCase

SECONDS = 20


def restore_after_each_test(monkeypatch) -> None:
    """Have tests that commit end with the database as it is now, where it is SQLite."""
    if connection.vendor != "sqlite":
        return
    pristine = sqlite3.connect(":memory:")
    connection.ensure_connection()
    connection.connection.backup(pristine)
    monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: _restore(pristine))


def _restore(pristine: sqlite3.Connection) -> None:
    deadline = time.monotonic() + SECONDS

    def give_up(status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError("another connection of the test still writes")

    connection.ensure_connection()
    pristine.backup(connection.connection, progress=give_up, sleep=0.001)
