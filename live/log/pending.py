"""Has what was committed numbered, and told of."""

import logging
from collections.abc import Callable

from django.db import connections

from live.concurrency import outage
from live.concurrency.outage import Outage
from live.log import counter, numbering
from live.log.announcer import announce, announcer
from live.log.cursor import Cursor

logger = logging.getLogger(__name__)

_outage = Outage(logger, "The event log gave no numbers")


def number_pending() -> None:
    """Give numbers to all that was committed and has none, and tell every hub of it."""
    while (numbered := numbering.number()) is not None:
        announce(numbered)
        if not numbered.is_part:
            return


def settled_end() -> Cursor:
    """Return the place after all that was committed before; that has its numbers now."""
    return _end_after(number_pending)


def number_soon() -> None:
    """Have this process's announcer number what was committed so far: who asks does not wait."""
    announcer().do(try_to_number)


def look() -> Cursor:
    """Return the log's end, as a hub looks for it: where numbers fail, of those that there are."""
    return _end_after(try_to_number)


def _end_after(number: Callable[[], None]) -> Cursor:
    end, is_pending = counter.look()
    if not is_pending:
        return end
    number()
    return counter.end()


def try_to_number() -> None:
    """Number what is pending; where that fails, whoever looks next does: each hub, in a second."""
    connection = connections[counter.database()]
    connection.close_if_unusable_or_obsolete()
    try:
        try:
            number_pending()
        except outage.DATABASE_ERRORS:
            # The connection may have been lost long ago, while nothing was committed here.
            connection.close()
            number_pending()
        _outage.succeeded()
    except Exception as error:
        outage.report(error, _outage)
