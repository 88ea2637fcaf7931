"""Tasks that run for ever: one that fails is logged, counted and started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from live import metrics
from live.concurrency.cancellation import is_own_cancellation

logger = logging.getLogger(__name__)

# The pause before a restart, which doubles each time: a lasting fault must not keep the loop busy.
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until cancelled, again and again.

    Args:
        name: what the log and the metric call it.
    """
    delay = FIRST_DELAY_SECONDS
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await work()
        except Exception as error:
            report_failure(name, error)
        except asyncio.CancelledError as error:
            if is_own_cancellation():
                raise
            report_failure(name, error)
        else:
            logger.error("The task %r ended, and starts again", name)
            metrics.restarts.labels(task=name).inc()
        if asyncio.get_running_loop().time() - began > LONGEST_DELAY_SECONDS:
            delay = FIRST_DELAY_SECONDS
        await asyncio.sleep(delay)
        delay = min(2 * delay, LONGEST_DELAY_SECONDS)


def report_failure(name: str, error: BaseException) -> None:
    """Log and count that the task `name` failed and starts again."""
    # Without the error's text, which may quote a row.
    logger.error("The task %r failed, and starts again: %s", name, type(error).__name__)
    metrics.restarts.labels(task=name).inc()
