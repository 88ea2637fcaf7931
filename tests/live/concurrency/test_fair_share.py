"""One client has half of a pool's threads at the most, and what is given up is never begun."""

import asyncio
import threading

import pytest

from live.concurrency import fair_share
from live.concurrency.fair_share import FairShare, Shares, Threads, counting_in
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


# ---- who used much of the processor


@pytest.fixture
def heavy(settings):
    """Return a function that makes the shares of a client that used so many seconds too many."""
    settings.LIVE = {"MAX_WORKER_THREADS": 4, "CPU_SHARE_OF_CLIENT": 0.1}

    def make(seconds):
        shares = Shares()
        shares.usage.charge(1 + seconds)
        return shares

    return make


async def test_all_heavy_clients_have_one_thread_together(work, heavy):
    tasks = [task for number in range(3) for task in ask(work, heavy(number), f"heavy {number}")]
    await until(lambda: len(work.began) == 1)
    others = ask(work, Shares(), "other")
    await until(lambda: "other" in work.began)
    assert work.began == ["heavy 0", "other"]
    work.gate.set()
    await asyncio.gather(*tasks, *others)
    assert len(work.began) == 4


async def test_the_client_that_used_least_is_next(work, heavy):
    first = [task for _ in range(2) for task in ask(work, Shares(), "first", "first")]
    await until(lambda: len(work.began) == 4)
    used = Shares()
    used.usage.charge(0.1)
    tasks = [
        *(*ask(work, heavy(2), "much"), *ask(work, heavy(1), "more")),
        *(*ask(work, used, "some"), *ask(work, Shares(), "nothing")),
    ]
    await asyncio.sleep(0)
    order = []
    for task, name in zip(tasks, ["much", "more", "some", "nothing"], strict=True):
        task.add_done_callback(lambda _, name=name: order.append(name))
    work.gate.set()
    await asyncio.gather(*first, *tasks)
    assert [name for name in work.began if name in ("more", "much")] == ["more", "much"]
    assert work.began[4] == "nothing"


@pytest.mark.parametrize("is_heavy", [True, False])
async def test_a_thread_that_was_waited_for_in_vain_is_had_by_others(work, heavy, is_heavy):
    make = (lambda: heavy(1)) if is_heavy else Shares
    running = [ask(work, make(), "running")[0] for _ in range(1 if is_heavy else 4)]
    await until(lambda: len(work.began) == len(running))
    waiting = ask(work, make(), "waiting")
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting)
    work.gate.set()
    await asyncio.gather(*running)
    later = [ask(work, make(), "later")[0] for _ in range(4)]
    await asyncio.gather(*later)
    assert "waiting" not in work.began


async def test_a_call_that_is_cancelled_as_its_thread_is_free_gives_it_on(work):
    threads = Threads(1)
    taking = [asyncio.create_task(threads.take(Shares().usage)) for _ in range(3)]
    await taking[0]
    threads.give_back(False)  # it is the second's, which is not told yet
    taking[1].cancel()
    async with asyncio.timeout(SECONDS):
        await asyncio.wait(taking[1:])
    assert taking[1].cancelled()
    assert not taking[2].cancelled()


async def test_what_is_cancelled_while_it_waits_frees_its_clients_share(work):
    usage, threads = Shares().usage, Threads(0)
    share = FairShare(usage, threads)
    for _ in range(5):
        waiting = asyncio.create_task(share.place())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    threads.give_back(False)
    async with asyncio.timeout(SECONDS):
        await share.place()
