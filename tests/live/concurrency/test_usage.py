"""What a client uses of the processor is charged to it, on the loop and in threads, and fades."""

import asyncio
import time

import pytest

from live.concurrency.fair_share import Shares, counting_in
from live.concurrency.threads import Pool, in_worker_thread
from live.concurrency.usage import FADE_SECONDS, Measured, Usage

# Of the processor. It takes longer where the machine is busy, and no less.
WORK_SECONDS = 0.02


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def work():
    """Use the processor."""
    until = time.thread_time() + WORK_SECONDS
    while time.thread_time() < until:
        pass


def test_what_was_used_fades(settings):
    settings.LIVE = {"CPU_SHARE_OF_CLIENT": 0.1}
    clock = Clock()
    usage = Usage(clock)
    usage.charge(0.6 * FADE_SECONDS)
    assert usage.is_heavy
    clock.now += FADE_SECONDS
    assert usage.seconds == pytest.approx(0.6 * FADE_SECONDS / 2.718, rel=0.01)
    clock.now += FADE_SECONDS
    assert not usage.is_heavy


def test_a_client_at_its_share_is_not_heavy_and_beyond_it_is(settings):
    settings.LIVE = {"CPU_SHARE_OF_CLIENT": 0.1}
    clock = Clock()
    usage = Usage(clock)
    usage.charge(0.1 * FADE_SECONDS)
    assert not usage.is_heavy
    usage.charge(0.001)
    assert usage.is_heavy


async def test_steps_on_the_loop_are_charged_and_waiting_is_not():
    usage, gate = Usage(), asyncio.Event()

    async def two_steps():
        work()
        await gate.wait()
        work()
        return "done"

    task = asyncio.create_task(_run(two_steps(), usage))
    await asyncio.sleep(0)
    assert WORK_SECONDS * 0.9 < usage.seconds < WORK_SECONDS * 1.9
    gate.set()
    assert await task == "done"
    assert usage.seconds > WORK_SECONDS * 1.8


async def test_errors_and_cancellations_pass_through():
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await Measured(fail(), Usage())
    cancelled = []

    async def wait():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    task = asyncio.create_task(_run(wait(), Usage()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert cancelled


@pytest.mark.parametrize("pool", [Pool.READS, Pool.WRITES, Pool.PARSING, Pool.RIGHTS])
async def test_threads_charge_whom_they_work_for(pool):
    shares, other = Shares(), Shares()
    with counting_in(shares):
        await in_worker_thread(work, pool)()
    assert shares.usage.seconds > WORK_SECONDS * 0.9
    assert other.usage.seconds == 0


async def _run(coroutine, usage):
    return await Measured(coroutine, usage)
