"""The pools of threads in which sync code runs, off the event loop."""

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from enum import Enum
from typing import Any

from asgiref.sync import SyncToAsync
from django.db import close_old_connections

from live.concurrency.fair_share import Place, Shares, present_shares
from live.conf import conf


class Pool(Enum):
    """What a thread works for. Whatever keeps the threads of one pool waiting holds up no other.

    Each thread has a database connection of its own.
    """

    READS = "read"  # queries, and the hooks of subscriptions
    WRITES = "write"  # mutations: a row may be locked
    PARSING = "parse"  # new documents
    LOG = "log"  # the engine's own reads of the event log
    RIGHTS = "rights"  # what users may do
    ENDED = "ended"  # the look each second at who was logged out


# The pools which clients have shares of. The work of the others comes one piece after the other,
# or is shared by all who wait for it.
_SHARED_BY_CLIENTS = (Pool.READS, Pool.WRITES, Pool.PARSING)
_SIZES = {Pool.PARSING: 1, Pool.LOG: 1, Pool.RIGHTS: 2, Pool.ENDED: 1}


@functools.cache
def worker_pool(pool: Pool) -> ThreadPoolExecutor:
    """Return the process's threads for `pool`, made at the first call."""
    return ThreadPoolExecutor(size_of(pool), thread_name_prefix=f"live-worker-{pool.value}")


def size_of(pool: Pool) -> int:
    """Return the number of threads in `pool`."""
    return _SIZES.get(pool) or int(conf.MAX_WORKER_THREADS)


def end_workers() -> None:
    """End the threads of all pools, and with them their database connections."""
    if worker_pool.cache_info().currsize:
        for pool in Pool:
            worker_pool(pool).shutdown()
        worker_pool.cache_clear()


# The place of the call that a thread runs, in its client's share.
_place: ContextVar[Place | None] = ContextVar("place", default=None)


class _WithFreshConnections(SyncToAsync):
    """Runs a function in a thread, after closing stale database connections.

    Channels' `database_sync_to_async` does so before and after the call. Before is enough, and
    checking the connections costs as much as a small query.
    """

    def thread_handler(self, loop: Any, *args: Any, **kwargs: Any) -> Any:
        close_old_connections()
        return super().thread_handler(loop, *args, **kwargs)


def in_worker_thread(
    function: Callable[..., Any], pool: Pool = Pool.READS
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return an async function that runs `function` in `pool`, where it may use the ORM.

    A call that is cancelled before a thread has begun it is never carried out.
    """
    call: _WithFreshConnections | None = None
    in_thread = _giving_its_place_back(_measured(function))

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal call
        executor = worker_pool(pool)
        if call is None or call._executor is not executor:
            call = _WithFreshConnections(in_thread, thread_sensitive=False, executor=executor)
        shares = present_shares() if pool in _SHARED_BY_CLIENTS else None
        if shares is None:
            return await call(*args, **kwargs)
        return await _in_share(shares, pool, call, *args, **kwargs)

    return run


async def _in_share(
    shares: Shares, pool: Pool, call: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    place = await shares.of(pool, size_of(pool)).place()
    token = _place.set(place)
    try:
        return await call(*args, **kwargs)
    finally:
        _place.reset(token)
        if not place.began:
            place.give_back()


def _giving_its_place_back(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        place = _place.get()
        if place is None or place.began:  # it is another call's, around this one
            return function(*args, **kwargs)
        place.began = True
        try:
            return function(*args, **kwargs)
        finally:
            place.done()

    return run


def _measured(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, whose time of the processor is charged to the present client."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        shares = present_shares()
        if shares is None:
            return function(*args, **kwargs)
        began = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            shares.usage.charge(time.thread_time() - began)

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
