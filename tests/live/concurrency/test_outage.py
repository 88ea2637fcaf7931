"""An outage is logged when it begins and when it ends, however often somebody tries."""

import logging

import pytest
from django.db import InterfaceError, OperationalError, connection

from live.concurrency import outage as outages
from live.concurrency.outage import Outage
from live.errors import format_error

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
