"""One client has half of a pool's threads at the most, and what is given up is never begun."""

import asyncio
import threading

import pytest

from live.concurrency import fair_share
from live.concurrency.fair_share import Shares, counting_in
from live.concurrency.threads import Pool, in_worker_thread
from live.errors import RateLimited
from tests.live.engine import until

SECONDS = 20


class Work:
    """Calls that each wait in a thread until they are let go."""

    def __init__(self):
        self.began, self.gate = [], threading.Event()

    def __call__(self, name):
        """Wait."""
        self.began.append(name)
        assert self.gate.wait(SECONDS)
        return name


@pytest.fixture
def work(settings):
    settings.LIVE = {"MAX_WORKER_THREADS": 4}
    work = Work()
    yield work
    work.gate.set()


def ask(work, shares, *names, pool=Pool.READS):
    with counting_in(shares):
        return [asyncio.create_task(in_worker_thread(work, pool)(name)) for name in names]


async def test_a_client_leaves_half_of_the_threads_to_others(work):
    greedy = ask(work, Shares(), *range(10))
    await until(lambda: len(work.began) == 2)
    others = ask(work, Shares(), "other")
    await until(lambda: "other" in work.began)
    assert len(work.began) == 3
    work.gate.set()
    assert await asyncio.gather(*greedy, *others) == [*range(10), "other"]
    assert [name for name in work.began if name != "other"] == list(range(10))


async def test_what_is_no_clients_has_all_threads(work):
    tasks = ask(work, None, *range(4))
    await until(lambda: len(work.began) == 4)
    work.gate.set()
    await asyncio.gather(*tasks)


async def test_writes_keep_no_reads_waiting(work):
    shares = Shares()
    writes = ask(work, None, *range(20), pool=Pool.WRITES)
    reads = ask(work, shares, "read")
    await until(lambda: "read" in work.began)
    work.gate.set()
    await asyncio.gather(*writes, *reads)


@pytest.mark.parametrize("is_shared", [True, False])
async def test_what_is_cancelled_before_it_began_is_never_carried_out(work, is_shared):
    shares = Shares() if is_shared else None
    running = ask(work, shares, *range(2 if is_shared else 4))
    await until(lambda: len(work.began) == len(running))
    waiting = ask(work, shares, "waiting", "too")
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    work.gate.set()
    await asyncio.gather(*running)
    assert await asyncio.gather(*ask(work, shares, "later")) == ["later"]
    assert work.began == [*range(len(running)), "later"]


async def test_a_call_that_goes_on_after_its_end_keeps_its_place(work):
    shares = Shares()
    running = ask(work, shares, 1, 2)
    await until(lambda: len(work.began) == 2)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    waiting = ask(work, shares, 3)
    other = ask(work, Shares(), "other")
    await until(lambda: "other" in work.began)
    assert 3 not in work.began
    work.gate.set()
    assert await asyncio.gather(*waiting, *other) == [3, "other"]


async def test_no_more_calls_wait_than_the_bound(work, monkeypatch):
    monkeypatch.setattr(fair_share, "MOST_WAITING", 3)
    shares = Shares()
    tasks = ask(work, shares, *range(5))
    await until(lambda: len(work.began) == 2)
    with pytest.raises(RateLimited):
        await ask(work, shares, "one too many")[0]
    work.gate.set()
    assert await asyncio.gather(*tasks) == list(range(5))
