"""What the tests of the follower put around one."""

import asyncio
from contextlib import asynccontextmanager

from live.concurrency.scheduler import Scheduler
from live.fanout import follower
from live.fanout.follower import Follower
from tests.live.engine import until

SECRET = "Ada Lovelace"


NEVER = 3600


class Taken:
    """What a follower handed over: where it began, and the records since."""

    def __init__(self):
        self.begun, self.numbers = [], []

    def begin(self, end, *, missed):
        self.begun.append((end, missed))

    def take(self, epoch, number, packed):
        assert packed == f"{epoch}:{number}".encode()
        self.numbers.append(number)


class Turn:
    """Turns of which each piece is over at once, and the next does not come before `comes`."""

    is_over = True

    def __init__(self):
        self.asked, self.comes = asyncio.Event(), asyncio.Event()

    async def turn(self, rank):
        self.asked.set()
        await self.comes.wait()


class Clock:
    """Stands still unless it is set; remembers how often it was looked at."""

    def __init__(self):
        self.now, self.looks = 0.0, 0

    def monotonic(self):
        self.looks += 1
        return self.now


def impatient(monkeypatch):
    """Have the follower look at once where something came too early."""
    monkeypatch.setattr(follower, "PATIENCE_SECONDS", 0)


@asynccontextmanager
async def following(log, taken):
    """Follow `log` from its present end on."""
    made = new_follower(log, taken)
    task = asyncio.create_task(made.follow())
    try:
        async with asyncio.timeout(20):
            await made.ready.wait()
        yield made
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])


def new_follower(log, taken):
    made = Follower(taken, Scheduler())
    made._read_end, made._read = log.end, log.read
    return made


async def take(taken, last):
    """Return once everything up to `last` is taken."""
    await until(lambda: taken.numbers and taken.numbers[-1] >= last)


async def looked(made):
    """Return once the look that is under way is over: another one has begun."""
    made._look.set()
    await until(lambda: not made._look.is_set())
