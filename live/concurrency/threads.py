"""The pool of threads in which sync code runs, off the event loop."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import SyncToAsync
from django.db import close_old_connections

from live.conf import conf


@functools.cache
def worker_pool() -> ThreadPoolExecutor:
    """Return the process's pool of `MAX_WORKER_THREADS` threads, made at the first call."""
    return ThreadPoolExecutor(conf.MAX_WORKER_THREADS, thread_name_prefix="live-worker")


class _WithFreshConnections(SyncToAsync):
    """Runs a function in a thread, after closing stale database connections.

    Channels' `database_sync_to_async` does so before and after the call. Before is enough, and
    checking the connections costs as much as a small query.
    """

    def thread_handler(self, loop: Any, *args: Any, **kwargs: Any) -> Any:
        close_old_connections()
        return super().thread_handler(loop, *args, **kwargs)


def in_worker_thread(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return an async function that runs `function` in the pool, where it may use the ORM."""
    call: _WithFreshConnections | None = None

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal call
        pool = worker_pool()
        if call is None or call._executor is not pool:
            call = _WithFreshConnections(function, thread_sensitive=False, executor=pool)
        return await call(*args, **kwargs)

    return run


def in_event_loop() -> bool:
    """Whether the calling thread is running an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def is_async(function: Any) -> bool:
    """Whether calling `function`, maybe a partial or a callable object, returns a coroutine."""
    while isinstance(function, functools.partial):
        function = function.func
    call = getattr(function, "__call__", None)  # noqa: B004  the method itself is wanted
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
