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

    __slots__ = ("_back", "_gone", "_logger", "_met_by")

    def __init__(self, logger: logging.Logger, gone: str, back: str | None = None) -> None:
        self._logger, self._gone, self._back = logger, gone, back
        self._met_by: set[str] = set()

    @property
    def is_on(self) -> bool:
        """Whether the last attempt of anybody failed."""
        return bool(self._met_by)

    def goes_on(self, error: BaseException, who: str = "") -> None:
        """An attempt failed: the first one is logged, by its error's type only.

        `who` tried it, where several do each in its own way.
        """
        if not self._met_by:
            self._logger.error("%s: %s", self._gone, type(error).__name__)
        self._met_by.add(who)

    def is_over(self, who: str | None = None) -> None:
        """An attempt succeeded: it is over for `who`, or for all."""
        before = self.is_on
        self._met_by -= self._met_by if who is None else {who}
        if before and not self.is_on and self._back:
            self._logger.warning(self._back)


# This process's database: whoever cannot ask it says so here, so that one line is logged.
database = Outage(logger, "The database is away", "The database is back")
# The channel layer, which one hub listens to and one thread sends to.
channel_layer = Outage(logger, "The channel layer is away", "The channel layer is back")


def missed(error: BaseException, otherwise: Outage) -> None:
    """Tell that an attempt failed: the database's outage, or `otherwise` where it is no such."""
    (database if isinstance(error, DATABASE_ERRORS) else otherwise).goes_on(error)


def connected(**_: object) -> None:
    """Take Django's signal that a database was connected to: also who asks no log sees it."""
    database.is_over()
