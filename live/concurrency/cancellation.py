"""Tells a task's own cancellation from that of something it waits for."""

import asyncio


def is_own_cancellation() -> bool:
    """Whether the running task is to end: a CancelledError that it gets is meant for it.

    asyncio raises the same where only what the task awaits was cancelled.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
