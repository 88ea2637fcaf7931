"""The rest of a coroutine of which one step was taken goes on as the whole would."""

import asyncio

import pytest

from live.socket.send_queue import _Continued
from tests.live.engine import turns


def continued(coroutine):
    """Take the first step of `coroutine` here and return the rest."""
    steps = coroutine.__await__()
    return _Continued(steps, next(steps))


async def rest_of(coroutine):
    return await continued(coroutine)


async def test_the_rest_goes_on_with_the_futures_result():
    future = asyncio.get_running_loop().create_future()
    seen = []

    async def work():
        seen.append(await future)
        await asyncio.sleep(0)
        seen.append(await asyncio.sleep(0.001, "timer"))

    task = asyncio.ensure_future(rest_of(work()))
    await turns()
    future.set_result("result")
    await asyncio.wait_for(task, 1)
    assert seen == ["result", "timer"]


async def test_the_futures_exception_reaches_the_coroutine():
    future = asyncio.get_running_loop().create_future()
    seen = []

    async def work():
        try:
            await future
        except KeyError as error:
            seen.append(error.args)
        await asyncio.sleep(0)
        raise ValueError("at the end")

    task = asyncio.ensure_future(rest_of(work()))
    await turns()
    future.set_exception(KeyError("k"))
    with pytest.raises(ValueError, match="at the end"):
        await asyncio.wait_for(task, 1)
    assert seen == [("k",)]


async def test_cancelling_the_rest_reaches_the_coroutine_and_what_it_waits_for():
    future = asyncio.get_running_loop().create_future()
    seen = []

    async def work():
        try:
            await future
        finally:
            seen.append("cleaned up")

    task = asyncio.ensure_future(rest_of(work()))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cleaned up"]
    assert future.cancelled()


async def test_a_coroutine_may_refuse_to_be_cancelled():
    future = asyncio.get_running_loop().create_future()

    async def work():
        try:
            await future
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    task = asyncio.ensure_future(rest_of(work()))
    await turns()
    task.cancel()
    await asyncio.wait_for(task, 1)


async def test_a_timeout_around_the_rest_ends_it():
    async def work():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await continued(work())
