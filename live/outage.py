"""What may be away for long: the log says when it goes and when it is back, once each."""

import logging

from django.db import InterfaceError, OperationalError

logger = logging.getLogger(__name__)

# What Django raises where the database cannot be asked.
DATABASE_ERRORS = (OperationalError, InterfaceError)


class Outage:
    """Whether something is away, as those who try it again and again tell.

    Args:
        logger: where the lines go.
        gone: what the line says before the error's type.
        back: what the line says when it is back; without it there is none.
    """

    __slots__ = ("_back", "_gone", "_logger", "is_on")

    def __init__(self, logger: logging.Logger, gone: str, back: str | None = None) -> None:
        self._logger, self._gone, self._back = logger, gone, back
        self.is_on = False

    def goes_on(self, error: BaseException) -> None:
        """An attempt failed: the first one is logged, by its error's type only."""
        if not self.is_on:
            self._logger.error("%s: %s", self._gone, type(error).__name__)
        self.is_on = True

    def is_over(self) -> None:
        """An attempt succeeded."""
        if self.is_on and self._back:
            self._logger.warning(self._back)
        self.is_on = False


# This process's database: whoever cannot ask it says so here, so that one line is logged.
database = Outage(logger, "The database is away", "The database is back")


def missed(error: BaseException, otherwise: Outage) -> None:
    """Tell that an attempt failed: the database's outage, or `otherwise` where it is no such."""
    (database if isinstance(error, DATABASE_ERRORS) else otherwise).goes_on(error)


def connected(**_: object) -> None:
    """Take Django's signal that a database was connected to: also who asks no log sees it."""
    database.is_over()
