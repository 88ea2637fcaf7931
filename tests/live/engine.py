"""Parts that the engine's tests put into a hub: clients that remember, and runs they control."""

import asyncio
import json

from graphql import ExecutionResult

from live.payload import pack


class Client:
    """A receiver that remembers what the hub told it."""

    def __init__(self):
        self.bodies = []
        self.overflows = 0
        self.ended = False
        self.on_deliver = None

    def deliver(self, body):
        """Remember a notification."""
        self.bodies.append(json.loads(body))
        if self.on_deliver:
            self.on_deliver()

    def overflow(self):
        """Remember that the hub gave up on this client."""
        self.overflows += 1

    def ended_by_server(self):
        """Remember the end."""
        self.ended = True

    @property
    def got(self):
        """The events' payloads, as `echo` and `Slow` make notifications of them."""
        return [body["data"]["event"] for body in self.bodies]


class Socket:
    """A socket that remembers what the hub told it."""

    def __init__(self):
        self.told = []
        self.lost = asyncio.Event()
        self.scope = {}
        self.heartbeat = self

    def rights_changed(self, user_ids):
        """Remember whose rights changed."""
        self.told.append(("rights", user_ids))

    def kicked(self, user_ids):
        """Remember who was kicked."""
        self.told.append(("kicked", user_ids))

    def events_lost(self):
        """Remember that events were lost."""
        self.told.append(("lost",))
        self.lost.set()

    def beat(self, now):
        """The pulse's look at the socket."""


def result(payload):
    """Return the result of a selection that shows the payload."""
    return ExecutionResult({"event": payload})


class Echo:
    """A run that is done at once; it counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, payload):
        """Run for one payload."""
        self.calls += 1
        return result(payload)


class Slow:
    """A run that waits until it is let, one event at a time."""

    def __init__(self):
        self.turns = []
        self.started = asyncio.Event()

    def __call__(self, payload):
        """Start to run for one payload."""
        turn = asyncio.get_running_loop().create_future()
        self.turns.append((payload, turn))
        self.started.set()
        return self._finish(payload, turn)

    async def _finish(self, payload, turn):
        await turn
        return result(payload)

    async def let_one(self):
        """Let the oldest run end, and its consequences come."""
        self.turns.pop(0)[1].set_result(None)
        await turns()

    async def let_all(self):
        """Let runs end until none starts any more."""
        while self.turns:
            await self.let_one()


def event(payload, *groups):
    """Return a broadcast as it comes from the channel layer."""
    return {"type": "live.event", "groups": list(groups), "payload": pack(payload)}


async def turns(count=8):
    """Give the loop as many turns as a step of a cohort takes."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition, seconds=5):
    """Wait until `condition()` holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  any condition, which has no event
            await asyncio.sleep(0.001)
