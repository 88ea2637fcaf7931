"""Each event loop has a value of its own."""

import asyncio
import gc
import weakref

import pytest

from live.concurrency.per_loop import per_loop


def test_each_loop_has_its_own():
    current = per_loop(object)

    async def twice():
        return current(), current()

    first, again = asyncio.run(twice())
    assert first is again
    assert asyncio.run(twice())[0] is not first


def test_it_goes_with_its_loop():
    made = []

    def make():
        lock = asyncio.Lock()
        made.append(weakref.ref(lock))
        return lock

    current = per_loop(make)

    async def ask():
        current()

    asyncio.run(ask())
    gc.collect()
    assert [lock() for lock in made] == [None]


def test_without_a_loop_there_is_none():
    with pytest.raises(RuntimeError):
        per_loop(object)()
