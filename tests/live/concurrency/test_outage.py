"""An outage is logged when it begins and when it ends, however often somebody tries."""

import logging

import pytest
from django.db import InterfaceError, InternalError, OperationalError, connection, connections
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite

from live.concurrency import outage as outages
from live.concurrency.outage import Outage
from live.errors import format_error, is_unavailable

SECRET = "Ada Lovelace"
logger = logging.getLogger("live.test")


@pytest.mark.parametrize("back", [None, "It is back"])
def test_it_is_logged_once_each_way_and_without_the_errors_text(caplog, back):
    outage = Outage(logger, "It is away", back)
    outage.succeeded()
    assert (outage.is_ongoing, caplog.messages) == (False, [])
    for error in (OSError(SECRET), ValueError(SECRET)):
        outage.failed(error)
    assert (outage.is_ongoing, caplog.messages) == (True, ["It is away: OSError"])
    outage.succeeded()
    outage.succeeded()
    assert (outage.is_ongoing, caplog.messages[1:]) == (False, [back] if back else [])
    outage.failed(OSError(SECRET))
    assert caplog.messages[-1] == "It is away: OSError"
    assert len(caplog.messages) == (3 if back else 2)


def test_the_databases_outage_is_one_line_whoever_meets_it(caplog, db):
    other = Outage(logger, "It is away")
    for error in (OperationalError(SECRET), InterfaceError(SECRET)):
        outages.report(error, other)
        format_error(error)
    assert caplog.messages == ["The database is away: OperationalError"]
    outages.report(OSError(SECRET), other)
    assert caplog.messages[1:] == ["It is away: OSError"]


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_shows_that_the_database_is_back(caplog):
    """Nobody reads the log in a process that has no socket."""
    outages.database.failed(OperationalError(SECRET))
    connection.close()
    connection.ensure_connection()
    assert caplog.messages == ["The database is away: OperationalError", "The database is back"]


def _sqlite_error(*statements):
    """Return what Django makes of the error that the last of `statements` raises."""
    settings = {**connections.settings["default"], "NAME": ":memory:", "OPTIONS": {}}
    wrapper = SQLite(settings)
    try:
        with wrapper.cursor() as cursor:
            for statement in statements[:-1]:
                cursor.execute(statement)
            with pytest.raises(OperationalError) as raised:
                cursor.execute(statements[-1])
        return raised.value
    finally:
        wrapper.close()


def _postgresql_error(kind, state):
    error = kind("as PostgreSQL says it")
    error.__cause__ = type("Cause", (Exception,), {"sqlstate": state})()
    return error


FULL = ("CREATE TABLE t (x)", "PRAGMA max_page_count=2", "INSERT INTO t VALUES (zeroblob(99999))")
NO_WRITES = {
    "SQLite reads only": lambda: _sqlite_error("PRAGMA query_only=ON", "CREATE TABLE t (x)"),
    "SQLite is full": lambda: _sqlite_error(*FULL),
    "PostgreSQL reads only": lambda: _postgresql_error(InternalError, "25006"),
    "PostgreSQL is full": lambda: _postgresql_error(OperationalError, "53100"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", NO_WRITES)
def test_a_database_that_takes_no_writes_is_unavailable_and_told_once(kind, caplog):
    error = NO_WRITES[kind]()
    assert is_unavailable(error)
    for _ in range(3):
        outages.database_failed(error)
    assert [record.message for record in caplog.records] == [
        f"The database takes no writes: {type(error).__name__}"
    ]
    assert not outages.database.is_ongoing


def test_another_internal_error_of_postgresql_is_not_its_absence():
    assert not is_unavailable(_postgresql_error(InternalError, "25P02"))
