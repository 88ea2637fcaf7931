"""Frames leave in order, whether the server takes them at once or makes the socket wait."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.outbox import Outbox, _Continued


class Server:
    """An ASGI `send` that takes frames at once while `open`, and else when it is let."""

    def __init__(self):
        self.open = True
        self.frames = []
        self.waiting = []

    async def send(self, message):
        if not self.open:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            await turn
        assert message["type"] == "websocket.send"
        self.frames.append(message["text"])

    async def let_one(self):
        """Take the frame that waits, and let what follows come."""
        self.waiting.pop(0).set_result(None)
        await turns()


class Ends:
    def __init__(self):
        self.overflows = self.breaks = 0

    def overflow(self):
        self.overflows += 1

    def broken(self):
        self.breaks += 1


async def turns():
    """Give the loop as many turns as a step of the writer takes."""
    for _ in range(5):
        await asyncio.sleep(0)


def make(server, most=10, send=None):
    ends = Ends()
    return Outbox(send or server.send, most, ends.overflow, ends.broken), ends


# ---- order


async def test_a_frame_that_the_server_takes_is_sent_within_the_call():
    server = Server()
    outbox, _ = make(server)
    outbox.put("a")
    outbox.put("b")
    assert server.frames == ["a", "b"]


async def test_what_comes_while_the_server_waits_is_sent_after_it():
    server = Server()
    outbox, _ = make(server)
    server.open = False
    outbox.put("a")
    # Open again, but "a" still waits: "b" must not overtake it.
    server.open = True
    outbox.put("b")
    await turns()
    assert server.frames == []
    await server.let_one()
    assert server.frames == ["a", "b"]
    outbox.put("c")
    assert server.frames == ["a", "b", "c"]


@given(st.lists(st.sampled_from(["put", "shut", "open", "let", "turn"]), max_size=60))
def test_the_order_holds_however_the_server_takes(steps):
    async def play():
        server = Server()
        outbox, ends = make(server, most=1000)
        put = []
        for step in steps:
            if step == "put":
                put.append(str(len(put)))
                outbox.put(put[-1])
            elif step in ("shut", "open"):
                server.open = step == "open"
            elif step == "let" and server.waiting:
                await server.let_one()
            else:
                await asyncio.sleep(0)
        server.open = True
        while server.waiting:
            await server.let_one()
        await outbox.flushed()
        assert server.frames == put
        assert (ends.overflows, ends.breaks) == (0, 0)

    asyncio.run(play())


async def test_flushed_returns_when_the_server_has_everything():
    server = Server()
    outbox, _ = make(server)
    await asyncio.wait_for(outbox.flushed(), 1)
    server.open = False
    outbox.put("a")
    outbox.put("b")
    flushed = asyncio.ensure_future(outbox.flushed())
    await turns()
    await server.let_one()
    assert not flushed.done()
    await server.let_one()
    await asyncio.wait_for(flushed, 1)
    assert server.frames == ["a", "b"]


# ---- bounds


async def test_one_frame_too_many_overflows_once_and_nothing_follows():
    server = Server()
    outbox, ends = make(server, most=3)
    server.open = False
    for number in range(10):
        outbox.put(str(number))
    assert ends.overflows == 1
    assert outbox.closed
    # What was put before is still sent, so that a close comes after it.
    server.open = True
    await server.let_one()
    assert server.frames == ["0", "1", "2", "3"]
    outbox.put("later")
    assert server.frames == ["0", "1", "2", "3"]
    assert ends.overflows == 1


@pytest.mark.parametrize(("newest", "left"), [(1, ["a9"]), (3, ["a7", "a8", "a9"])])
async def test_a_tag_keeps_its_newest_and_never_overflows(newest, left):
    server = Server()
    outbox, ends = make(server, most=3)
    server.open = False
    outbox.put("first", tag="a", newest=newest)
    for number in range(10):
        outbox.put(f"a{number}", tag="a", newest=newest)
    server.open = True
    await server.let_one()
    assert server.frames == ["first", *left]
    assert ends.overflows == 0


async def test_a_tag_takes_nothing_from_others():
    server = Server()
    outbox, _ = make(server)
    server.open = False
    outbox.put("first")
    for number in range(3):
        outbox.put(f"plain{number}")
        outbox.put(f"a{number}", tag="a", newest=1)
        outbox.put(f"b{number}", tag="b", newest=2)
    server.open = True
    await server.let_one()
    assert server.frames == ["first", "plain0", "plain1", "b1", "plain2", "a2", "b2"]


# ---- ends


async def test_close_sends_nothing_more_and_ends_the_wait():
    server = Server()
    outbox, ends = make(server)
    server.open = False
    outbox.put("a")
    outbox.put("b")
    flushed = asyncio.ensure_future(outbox.flushed())
    await turns()
    outbox.close()
    # Whoever waits for the flush goes on, and is not cancelled with the writer.
    await asyncio.wait_for(flushed, 1)
    outbox.put("c")
    await turns()
    assert server.frames == []
    assert server.waiting[0].cancelled()
    assert (ends.overflows, ends.breaks) == (0, 0)


async def test_who_waits_for_the_flush_may_give_up_without_harm():
    server = Server()
    outbox, _ = make(server)
    server.open = False
    outbox.put("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await outbox.flushed()
    await server.let_one()
    assert server.frames == ["a"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_server_that_refuses_is_told_once(waits):
    async def send(message):
        if waits:
            await asyncio.sleep(0)
        raise ConnectionResetError

    outbox, ends = make(None, send=send)
    outbox.put("a")
    outbox.put("b")
    await turns()
    outbox.put("c")
    await turns()
    assert ends.breaks == 1
    assert outbox.closed


async def test_a_server_that_refuses_a_later_frame_is_told_too():
    server = Server()

    async def send(message):
        await server.send(message)
        if message["text"] == "b":
            raise ConnectionResetError

    outbox, ends = make(None, send=send)
    server.open = False
    outbox.put("a")
    outbox.put("b")
    outbox.put("c")
    server.open = True
    await server.let_one()
    assert server.frames == ["a", "b"]
    assert ends.breaks == 1


# ---- the rest of a coroutine


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
