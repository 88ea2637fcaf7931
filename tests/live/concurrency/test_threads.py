"""Sync code runs in the pool and may use the ORM; the event loop never runs it."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connections

from live.concurrency import threads
from live.concurrency.threads import in_worker_thread, is_async

SECONDS = 10


def here():
    return threading.current_thread().name


# ---- the pool


async def test_an_error_in_the_pool_is_the_callers():
    def fail():
        raise KeyError("k")

    with pytest.raises(KeyError):
        await in_worker_thread(fail)()


@pytest.mark.django_db(transaction=True)
async def test_a_stale_connection_is_closed_before_a_call(monkeypatch):
    def use():
        User.objects.exists()
        return connections["default"]

    monkeypatch.setattr(threads, "worker_pool", functools.cache(lambda _: pool))
    with ThreadPoolExecutor(1, thread_name_prefix="live-worker") as pool:
        connection = await in_worker_thread(use)()
        first = connection.connection
        assert first is not None
        connection.close_at = 0
        connection.errors_occurred = False
        assert (await in_worker_thread(use)()).connection is not first
        await in_worker_thread(connections.close_all)()


# ---- what is async


class AsyncCallable:
    async def __call__(self):
        """Be awaited."""


class SyncCallable:
    def __call__(self):
        """Return at once."""


async def coroutine_function(x=None):
    """Be awaited."""


class Owner:
    @classmethod
    async def method(cls):
        """Be awaited."""


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (coroutine_function, True),
        (functools.partial(coroutine_function, 1), True),
        (functools.partial(functools.partial(coroutine_function), 1), True),
        (AsyncCallable(), True),
        (Owner.method, True),
        (here, False),
        (functools.partial(here), False),
        (SyncCallable(), False),
        (len, False),
    ],
)
def test_is_async(function, expected):
    assert is_async(function) is expected
