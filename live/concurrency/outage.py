"""Outages: one line in the log when something stops answering, one when it is back."""

import logging
import sqlite3

from django.db import InterfaceError, OperationalError

logger = logging.getLogger(__name__)

# What Django raises where the database does not answer.
DATABASE_ERRORS = (OperationalError, InterfaceError)

# By their SQLSTATE, what PostgreSQL raises in the same way where it has answered well: a deadlock,
# a conflict, a lock that was not had in time, a statement that took too long.
_ANSWERS = frozenset({"40P01", "40001", "55P03", "57014"})

# Where it only reads, as a standby, or has no room on its disk. PostgreSQL's first of them is
# none of the errors above.
_READS_ONLY, _NO_ROOM = "25006", "53100"
_TAKES_NO_WRITES = frozenset({_READS_ONLY, _NO_ROOM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL})

# Between two attempts to use what is away.
RETRY_SECONDS = 0.5


class Outage:
    """Whether something is away, by what those report who try to use it again and again.

    Args:
        logger: where the lines go.
        gone: the line's text before the error's type.
        back: the line's text when it is back; None logs no such line.
    """

    __slots__ = ("_back", "_failing", "_gone", "_logger")

    def __init__(self, logger: logging.Logger, gone: str, back: str | None = None) -> None:
        self._logger, self._gone, self._back = logger, gone, back
        # Whose last attempt failed.
        self._failing: set[str] = set()

    @property
    def is_ongoing(self) -> bool:
        """Whether anybody's last attempt failed."""
        return bool(self._failing)

    def failed(self, error: BaseException, who: str = "") -> None:
        """Note that an attempt failed. The first one is logged, by its error's type only.

        Args:
            who: names the caller, where several use different connections.
        """
        if not self._failing:
            self._logger.error("%s: %s", self._gone, type(error).__name__)
        self._failing.add(who)

    def succeeded(self, who: str | None = None) -> None:
        """Note that an attempt succeeded: the outage is over for `who`, or for everybody."""
        was_ongoing = self.is_ongoing
        self._failing -= self._failing if who is None else {who}
        if was_ongoing and not self.is_ongoing and self._back:
            self._logger.warning(self._back)


# This process's database, shared by all who use it, so that one line is logged.
database = Outage(logger, "The database is away", "The database is back")
# It reads and does not write: told at the first refusal of a connection.
writes = Outage(logger, "The database takes no writes")
# The channel layer, shared by the hub that listens and the thread that sends.
channel_layer = Outage(logger, "The channel layer is away", "The channel layer is back")


def is_databases(error: BaseException) -> bool:
    """Whether the database raised `error` because it is away, or takes no writes."""
    return isinstance(error, DATABASE_ERRORS) or _code(error) == _READS_ONLY


def database_failed(error: BaseException) -> None:
    """Note the database's outage, unless it has answered: it may refuse one statement alone."""
    code = _code(error)
    if code in _TAKES_NO_WRITES:
        writes.failed(error)
    elif code not in _ANSWERS:
        database.failed(error)


def _code(error: BaseException) -> str | int | None:
    """Return PostgreSQL's SQLSTATE, or SQLite's primary result code."""
    extended = getattr(error.__cause__, "sqlite_errorcode", None)
    return getattr(error.__cause__, "sqlstate", None) if extended is None else extended & 0xFF


def report(error: BaseException, otherwise: Outage) -> None:
    """Note a failed attempt: the database's outage, or `otherwise` for any other error."""
    (database if isinstance(error, DATABASE_ERRORS) else otherwise).failed(error)


def connected(**_: object) -> None:
    """Receive Django's signal of a new database connection: by it any query ends the outage."""
    database.succeeded()
    writes.succeeded()
