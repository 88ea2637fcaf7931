"""Frames leave in order, whether the server takes them at once or makes the socket wait."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.execution.response import Body
from live.socket.protocol import Prefix
from live.socket.send_queue import SendQueue
from tests.live.engine import turns


class Server:
    """An ASGI server that takes frames at once while `open`, and else when it is let."""

    def __init__(self):
        self.open = self.takes_bytes = True
        self.frames = []
        self.waiting = []

    async def send(self, message):
        if not self.open:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            await turn
        assert message["type"] == "websocket.send"
        self.frames.append(message["text"])

    def write(self, data):
        """The frame extension: bytes that need no message."""
        if self.open and self.takes_bytes:
            self.frames.append(data.decode())
            return True
        return False

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


def make(server, most=10, most_shared=5, send=None, write=None):
    ends = Ends()
    send = send or server.send
    return SendQueue(send, most, most_shared, ends.overflow, ends.broken, write), ends


def share(queue, text, newest=None):
    """Put a message that many get; its frame is `text` in braces."""
    return queue.put_shared(Prefix("{", b"{"), Body(text), newest=newest)


# ---- order


async def test_a_frame_that_the_server_takes_is_sent_within_the_call():
    server = Server()
    queue, _ = make(server)
    queue.put("a")
    queue.put("b")
    assert server.frames == ["a", "b"]


async def test_what_comes_while_the_server_waits_is_sent_after_it():
    server = Server()
    queue, _ = make(server)
    server.open = False
    queue.put("a")
    # Open again, but "a" still waits: "b" must not overtake it.
    server.open = True
    queue.put("b")
    await turns()
    assert server.frames == []
    await server.let_one()
    assert server.frames == ["a", "b"]
    queue.put("c")
    assert server.frames == ["a", "b", "c"]


STEPS = ["put", "share", "shut", "open", "let", "turn", "bytes", "text"]


@given(st.lists(st.sampled_from(STEPS), max_size=60), st.booleans())
def test_the_order_holds_however_the_server_takes(steps, extended):
    async def play():
        server = Server()
        write = server.write if extended else None
        queue, ends = make(server, most=1000, most_shared=500, write=write)
        put = []
        for step in steps:
            if step == "put":
                put.append(str(len(put)))
                queue.put(put[-1])
            elif step == "share":
                put.append(f"{{{len(put)}}}")
                assert share(queue, put[-1][1:-1])
            elif step in ("bytes", "text"):
                server.takes_bytes = step == "bytes"
            elif step in ("shut", "open"):
                server.open = step == "open"
            elif step == "let" and server.waiting:
                await server.let_one()
            else:
                await asyncio.sleep(0)
        server.open = True
        while server.waiting:
            await server.let_one()
        await queue.flushed()
        assert server.frames == put
        assert (ends.overflows, ends.breaks) == (0, 0)

    asyncio.run(play())


async def test_flushed_returns_when_the_server_has_everything():
    server = Server()
    queue, _ = make(server)
    await asyncio.wait_for(queue.flushed(), 1)
    server.open = False
    queue.put("a")
    queue.put("b")
    flushed = asyncio.ensure_future(queue.flushed())
    await turns()
    await server.let_one()
    assert not flushed.done()
    await server.let_one()
    await asyncio.wait_for(flushed, 1)
    assert server.frames == ["a", "b"]


# ---- bounds


async def test_one_frame_too_many_overflows_once_and_nothing_follows():
    server = Server()
    queue, ends = make(server, most=3)
    server.open = False
    for number in range(10):
        queue.put(str(number))
    assert ends.overflows == 1
    assert queue.closed
    # What was put before is still sent, so that a close comes after it.
    server.open = True
    await server.let_one()
    assert server.frames == ["0", "1", "2", "3"]
    queue.put("later")
    assert server.frames == ["0", "1", "2", "3"]
    assert ends.overflows == 1


async def test_notifications_are_refused_before_answers_and_nothing_is_closed():
    server = Server()
    queue, ends = make(server, most=6, most_shared=3)
    server.open = False
    assert [share(queue, f"{number}") for number in range(6)] == [True] * 4 + [False] * 2
    for number in range(3):
        queue.put(f"answer {number}")
    assert (ends.overflows, queue.closed) == (0, False)
    server.open = True
    await server.let_one()
    # What was refused is for the caller to offer again.
    assert server.frames == ["{0}", "{1}", "{2}", "{3}", "answer 0", "answer 1", "answer 2"]
    assert share(queue, "4")
    assert server.frames[-1] == "{4}"


@pytest.mark.parametrize(("most", "most_shared", "waits"), [(10, 100, 5), (2, 2, 1), (1, 9, 1)])
async def test_at_most_half_of_what_may_wait_is_notifications(most, most_shared, waits):
    server = Server()
    queue, _ = make(server, most, most_shared)
    server.open = False
    taken = [share(queue, f"{number}") for number in range(20)]
    assert taken.count(True) == 1 + waits


async def test_room_is_there_when_half_of_what_waits_is_gone():
    server = Server()
    queue, _ = make(server, most=100, most_shared=4)
    await asyncio.wait_for(queue.room(), 1)
    server.open = False
    while share(queue, "n"):
        pass
    two = [asyncio.ensure_future(queue.room()) for _ in range(2)]
    await turns()
    for left in (3, 2):
        assert not any(one.done() for one in two)
        await server.let_one()
        assert len(queue._waiting) == left
    await asyncio.wait_for(asyncio.gather(*two), 1)
    assert share(queue, "n")


@pytest.mark.parametrize("end", ["close", "break"])
async def test_who_waits_for_room_goes_on_at_the_end(end):
    server = Server()
    queue, _ = make(server)
    server.open = False
    while share(queue, "n"):
        pass
    waits = asyncio.ensure_future(queue.room())
    await turns()
    assert not waits.done()
    if end == "close":
        queue.close()
    else:
        server.waiting.pop(0).set_exception(ConnectionResetError())
    await asyncio.wait_for(waits, 1)
    assert queue.closed
    # Not "later": there is no later.
    assert share(queue, "n")
    assert server.frames == []


@pytest.mark.parametrize(("newest", "left"), [(1, ["{a9}"]), (3, ["{a7}", "{a8}", "{a9}"])])
async def test_a_tag_keeps_its_newest_and_is_never_refused(newest, left):
    server = Server()
    queue, ends = make(server, most=3, most_shared=1)
    server.open = False
    share(queue, "first", newest=("a", newest))
    assert all(share(queue, f"a{number}", newest=("a", newest)) for number in range(10))
    server.open = True
    await server.let_one()
    assert server.frames == ["{first}", *left]
    assert ends.overflows == 0


async def test_answers_have_room_beside_what_tags_keep():
    server = Server()
    queue, ends = make(server, most=3)
    server.open = False
    for tag in ("a", "b"):
        for number in range(10):
            assert share(queue, f"{tag}{number}", newest=(tag, 5))
    answers = [f"answer {number}" for number in range(4)]
    for answer in answers[:3]:
        queue.put(answer)
        share(queue, f"after {answer}", newest=("c", 1))
    assert (ends.overflows, queue.closed) == (0, False)
    queue.put(answers[3])
    assert (ends.overflows, queue.closed) == (1, True)
    server.open = True
    await server.let_one()
    assert [frame for frame in server.frames if not frame.startswith("{")] == answers[:3]


async def test_a_tag_takes_nothing_from_others():
    server = Server()
    queue, _ = make(server)
    server.open = False
    queue.put("first")
    for number in range(3):
        queue.put(f"plain{number}")
        share(queue, f"a{number}", newest=("a", 1))
        share(queue, f"b{number}", newest=("b", 2))
    server.open = True
    await server.let_one()
    assert server.frames == ["first", "plain0", "plain1", "{b1}", "plain2", "{a2}", "{b2}"]


async def test_how_long_the_client_takes_nothing_counts_from_the_frame_it_does_not_take():
    server = Server()
    queue, _ = make(server)
    later = time.monotonic() + 100
    queue.put("a")
    assert queue.stuck_for(later) == 0
    server.open = False
    before = time.monotonic()
    queue.put("b")
    queue.put("c")
    assert 0 <= later - before - queue.stuck_for(later) < 10
    await turns()
    was = queue.stuck_for(later)
    await server.let_one()  # it takes "b", and not "c"
    assert 0 < queue.stuck_for(later) < was
    await server.let_one()
    assert queue.stuck_for(later) == 0


# ---- the frame extension


async def test_a_server_with_the_extension_gets_bytes_made_once_for_all():
    server = Server()
    body = Body('"Bärbel"')
    boxes = [make(server, send=None, write=server.write)[0] for _ in range(2)]
    for number, queue in enumerate(boxes):
        prefix = f'{{"id":"{number}","payload":'
        assert queue.put_shared(Prefix(prefix, prefix.encode()), body)
    assert server.frames == [f'{{"id":"{number}","payload":"Bärbel"}}' for number in (0, 1)]
    assert body.data(b"}") is body.data(b"}")


async def test_bytes_that_the_server_does_not_take_go_the_usual_way():
    server = Server()
    queue, ends = make(server, write=server.write)
    server.takes_bytes = False
    assert share(queue, "a")
    server.open = False
    assert share(queue, "b")
    server.open = server.takes_bytes = True
    assert share(queue, "c")  # behind "b", which the server has not taken
    assert server.frames == ["{a}"]
    await turns()
    await server.let_one()
    assert share(queue, "d")
    assert server.frames == ["{a}", "{b}", "{c}", "{d}"]
    assert (ends.overflows, ends.breaks) == (0, 0)


# ---- ends


async def test_close_sends_nothing_more_and_ends_the_wait():
    server = Server()
    queue, ends = make(server)
    server.open = False
    queue.put("a")
    queue.put("b")
    flushed = asyncio.ensure_future(queue.flushed())
    await turns()
    queue.close()
    # Whoever waits for the flush goes on, and is not cancelled with the writer.
    await asyncio.wait_for(flushed, 1)
    queue.put("c")
    await turns()
    assert server.frames == []
    assert server.waiting[0].cancelled()
    assert (ends.overflows, ends.breaks) == (0, 0)


async def test_who_waits_for_the_flush_may_give_up_without_harm():
    server = Server()
    queue, _ = make(server)
    server.open = False
    queue.put("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await queue.flushed()
    await server.let_one()
    assert server.frames == ["a"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_server_that_refuses_is_told_once(waits):
    async def send(message):
        if waits:
            await asyncio.sleep(0)
        raise ConnectionResetError

    queue, ends = make(None, send=send)
    queue.put("a")
    queue.put("b")
    await turns()
    queue.put("c")
    await turns()
    assert ends.breaks == 1
    assert queue.closed


async def test_a_server_that_refuses_a_later_frame_is_told_too():
    server = Server()

    async def send(message):
        await server.send(message)
        if message["text"] == "b":
            raise ConnectionResetError

    queue, ends = make(None, send=send)
    server.open = False
    queue.put("a")
    queue.put("b")
    queue.put("c")
    server.open = True
    await server.let_one()
    assert server.frames == ["a", "b"]
    assert ends.breaks == 1
