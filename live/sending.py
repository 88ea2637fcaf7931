"""From sync code to the channel layer: on commit, in order, without a loop for each message."""

import asyncio
import functools
import logging
import os
import threading
from typing import Any

from django.db import transaction

from live.fanout import send_to_hubs

logger = logging.getLogger(__name__)


def send_on_commit(what: str, message: dict[str, Any]) -> None:
    """Send `message` to every hub when the current transaction commits; at once outside one.

    Nothing is sent if it rolls back. A failure is logged under the name `what`: the write
    is committed, and an error to its caller would say that it was not.
    """
    transaction.on_commit(functools.partial(_send_committed, what, message))


def _send_committed(what: str, message: dict[str, Any]) -> None:
    try:
        send(message)
    except Exception as error:
        # The error's text may quote the payload, so only its type is logged.
        logger.error("%s was not sent: %s", what, type(error).__name__)


def send(message: dict[str, Any]) -> None:
    """Send `message` to every hub and return when the channel layer has it.

    Raises RuntimeError on an event loop, which it would block: await send_to_hubs there.
    """
    if in_event_loop():
        raise RuntimeError("sync code that sends must not run on an event loop")
    sending = asyncio.run_coroutine_threadsafe(send_to_hubs(message), _loop(os.getpid()))
    sending.result()


def in_event_loop() -> bool:
    """Whether the calling thread is running an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@functools.cache
def _loop(process_id: int) -> asyncio.AbstractEventLoop:
    """Return the loop that sends for this process's threads.

    It stays, since a loop for each message costs more than the sending, and a Redis layer
    would connect anew on each. (A forked child has another process id, and so its own.)
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="live-sender", daemon=True).start()
    return loop
