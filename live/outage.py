"""What may be away for long: the log says when it goes and when it is back, once each."""

import logging


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
