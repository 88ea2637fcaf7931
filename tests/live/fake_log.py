"""An event log in memory, for tests of who follows one: its reads can be held, and fail."""

import asyncio

from live.log.cursor import Cursor


class FakeLog:
    """Has the `end` and `read` of live.log.store, as they are called from an event loop."""

    def __init__(self):
        self.epoch, self.last = 1, 0
        self.records = {}
        self.failure = None
        self.reads = []
        self.looks = 0
        # What is held waits here, each for its future's result: a look before or after it.
        self.holds = False
        self.waiting = []

    # ---- what writers do

    def append(self, count=1):
        """Commit `count` records; return the message that tells of them."""
        texts = [f"{self.epoch}:{self.last + 1 + index}".encode() for index in range(count)]
        self.records.update(enumerate(texts, self.last + 1))
        self.last += count
        return {"type": "live.log", "epoch": self.epoch, "last": self.last, "records": texts}

    def prune(self, through):
        """Forget the records up to `through`."""
        for number in [number for number in self.records if number <= through]:
            del self.records[number]

    def start_new_epoch(self, last=None):
        """Be another log, whose records end at `last`; None: with the same ones."""
        self.epoch += 1
        if last is not None:
            self.last, self.records = last, {}

    # ---- what the follower asks

    async def end(self):
        return await self._answer(lambda: Cursor(self.epoch, self.last))

    async def read(self, first, last):
        self.reads.append((first, last))
        numbers = range(first, last + 1)
        return await self._answer(
            lambda: [(n, self.records[n]) for n in numbers if n in self.records]
        )

    async def _answer(self, look):
        self.looks += 1
        seen = look()
        if self.holds:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            if await turn == "looks late":
                seen = look()
        if self.failure:
            raise self.failure
        return seen

    def let(self, when="looks late"):
        """Let the oldest held read go on."""
        turn = self.waiting.pop(0)
        if not turn.done():  # cancelled
            turn.set_result(when)
