"""CPU_SHARE_OF_CLIENT: who uses much of the processor is served after all others, and is served."""

import asyncio

from live.concurrency.scheduler import Rank, Scheduler
from live.concurrency.usage import Measured, Usage
from live.fanout.hub import Hub
from live.identity.rate_limits import client_of
from live.socket import session
from live.socket.consumer import HANDSHAKE_SECONDS
from live.socket.intake import READING, Intake, turn_of
from live.socket.send_queue import SendQueue
from tests.live.socket.limits.limited import CONSUMER
from tests.live.wire import Wire, codes


def used(seconds):
    usage = Usage()
    usage.charge(seconds)
    return usage


async def test_events_are_first_then_requests_and_heavy_clients_last(limit):
    limit(CPU_SHARE_OF_CLIENT=0.1)
    scheduler, had = Scheduler(), []

    async def have(name, turn):
        await turn
        had.append(name)

    assert scheduler.begin()
    scheduler._ends = 0.0  # the piece is over
    turns = {
        "reading": turn_of(used(2), scheduler, READING),
        "much": turn_of(used(3), scheduler),
        "some": turn_of(used(2), scheduler),
        "light": turn_of(used(0), scheduler),
        "event": scheduler.turn(Rank.LIVE),
    }
    await asyncio.gather(*(have(*each) for each in turns.items()))
    assert had == ["event", "light", "some", "much", "reading"]


async def test_where_nothing_is_going_on_a_light_client_does_not_wait(limit):
    turn = turn_of(used(0), Scheduler())
    try:
        turn.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


async def test_a_heavy_client_is_not_read_from_while_it_waits(limit):
    limit(CPU_SHARE_OF_CLIENT=0.1)

    class Reading:
        paused = False

        def pause_reading(self):
            self.paused = True

        def resume_reading(self):
            self.paused = False

    async def send(message):
        pass

    reading = Reading()
    queue = SendQueue(send, 1, 1, on_overflow=list, on_broken=list)
    intake = Intake(queue, reading)
    waiting = asyncio.ensure_future(intake.turn(used(2), Scheduler()))
    await asyncio.sleep(0)
    assert reading.paused
    await waiting
    assert not reading.paused


async def test_messages_and_handshakes_are_charged(limit):
    async with Wire(CONSUMER) as wire:
        [socket] = Hub.current().sockets
        usage = client_of(socket.scope).shares.usage
        after_handshake = usage.seconds
        assert after_handshake > HANDSHAKE_SECONDS * 0.9
        await wire.send(type="ping")
        assert (await wire.receive())["type"] == "pong"
        assert usage.seconds > after_handshake


async def test_operations_are_charged_beside_their_messages(limit, monkeypatch):
    measured = []

    def measure(coroutine, usage):
        measured.append((coroutine.__name__, usage))
        return Measured(coroutine, usage)

    monkeypatch.setattr(session, "Measured", measure)
    async with Wire(CONSUMER) as wire:
        [socket] = Hub.current().sockets
        usage = socket.client.shares.usage
        measured.clear()
        assert codes(await wire.ask("{ fast }")) == []
    assert measured == [("_receive", usage), ("_run", usage)]


async def test_a_heavy_client_is_served_all_the_same(limit):
    limit(CPU_SHARE_OF_CLIENT=1e-9)
    async with Wire(CONSUMER) as wire:
        for _ in range(5):
            assert codes(await wire.ask("{ fast }")) == []
