"""What waits for a client is bounded in bytes, and a client that does not read is not read from."""

import asyncio

import pytest

from live.execution import response
from live.fanout.event_buffer import EventBuffer
from live.fanout.renderings import MOST_CHARACTERS_KEPT, Renderings
from live.log.events import Event
from live.socket.send_queue import UNREAD_PART
from tests.live.engine import turns
from tests.live.socket.limits.limited import CONSUMER, counted, post
from tests.live.socket.test_send_queue import Server, make, share
from tests.live.wire import SUBPROTOCOLS, Wire, codes

BYTES = 800


def blocked(most=1000):
    server = Server()
    queue, ends = make(server, most=most, most_shared=500)
    queue.most_bytes = BYTES
    server.open = False
    queue.put("on its way")
    return server, queue, ends


# ---- the queue to a socket (OUTBOX_BYTES)


async def test_answers_that_wait_are_bounded_in_bytes():
    _, queue, ends = blocked()
    for _ in range(8):
        queue.put("x" * 100)
    assert ends.overflows == 0
    queue.put("x")
    assert ends.overflows == 1


async def test_an_emoji_counts_as_what_it_takes():
    _, queue, ends = blocked()
    queue.put("x" * 100)
    queue.put("😀" * 176)
    assert ends.overflows == 1


async def test_one_answer_may_be_larger_alone():
    server, queue, ends = blocked()
    queue.put("x" * 10 * BYTES)
    assert ends.overflows == 0
    await server.let_one()
    await server.let_one()
    assert server.frames == ["on its way", "x" * 10 * BYTES]


async def test_notifications_beyond_the_bytes_wait_in_the_log():
    server, queue, ends = blocked()
    taken = 0
    while share(queue, "x" * 96):
        taken += 1
    assert taken == BYTES // 98
    assert ends.overflows == 0
    room = asyncio.ensure_future(queue.room())
    for _ in range(taken // 2):
        assert not room.done()
        await server.let_one()
    await server.let_one()
    await asyncio.wait_for(room, 20)


async def test_the_newest_of_a_progress_bar_is_kept_within_the_bytes():
    server, queue, _ = blocked()
    for number in range(50):
        assert share(queue, f"{number} " + "x" * 200, newest=("id", 10))
    assert queue._bytes <= BYTES + 300
    while server.waiting:
        await server.let_one()
    assert server.frames[-1].startswith("{49 ")


async def test_who_leaves_answers_unread_is_unread_until_they_are_taken():
    server, queue, _ = blocked()
    assert not queue.is_unread
    queue.put("x" * (BYTES // UNREAD_PART + 1))
    assert queue.is_unread
    read = asyncio.ensure_future(queue.read())
    await turns()
    assert not read.done()
    await server.let_one()
    await asyncio.wait_for(read, 20)
    assert not queue.is_unread


async def test_notifications_alone_do_not_keep_a_client_from_being_read():
    _, queue, _ = blocked()
    while share(queue, "x" * 96):
        pass
    assert not queue.is_unread


# ---- answers (MAX_ANSWER_BYTES)


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_bytes_of_an_answer_over_a_socket(limit, subprotocol):
    size = len('{"id":"1","type":"next","payload":{"data":{"fast":1}}}')
    size += len("data") - len("next") if subprotocol == "graphql-ws" else 0
    async with Wire(CONSUMER, subprotocol=subprotocol) as wire:
        limit(MAX_ANSWER_BYTES=size)
        assert codes(await wire.ask("{ fast }")) == []
        before = counted("answer_bytes")
        limit(MAX_ANSWER_BYTES=size - 1)
        assert codes(await wire.ask("{ fast }")) == ["ANSWER_TOO_LARGE"]
        assert counted("answer_bytes") == before + 1


async def test_bytes_of_an_answer_over_http(limit):
    size = len('{"data":{"fast":1}}')
    limit(MAX_ANSWER_BYTES=size)
    assert codes((await post("{ fast }")).json()) == []
    limit(MAX_ANSWER_BYTES=size - 1)
    assert codes((await post("{ fast }")).json()) == ["ANSWER_TOO_LARGE"]


# ---- memory (EVENT_BYTES_IN_MEMORY, DOCUMENT_CACHE_CHARACTERS)


async def test_bytes_of_events_in_memory(limit):
    limit(EVENT_BYTES_IN_MEMORY=1000)
    buffer = EventBuffer()
    for number in range(1, 31):
        subject = f"patient:{number % 2}"
        buffer.add(Event(number, frozenset("g"), b"x" * 100, 1, subject=subject))
    assert list(buffer._events) == list(range(21, 31))
    buffer.forget("patient:0", before=31)
    assert buffer._bytes == 500
    for number in range(31, 46):
        buffer.add(Event(number, frozenset("g"), b"x" * 100, 1))
    assert buffer._bytes == sum(len(event.packed) for event in buffer._events.values()) <= 1000
    assert buffer._by_subject == {}


async def test_characters_of_documents_in_the_cache(limit):
    from live.execution import execution

    limit(DOCUMENT_CACHE_CHARACTERS=100)
    async with Wire(CONSUMER) as wire:
        for length in range(20, 60):
            assert (await wire.ask("{ fast }" + " " * length))["data"]
    assert 1 <= len(execution._documents) <= 5
    assert execution._documents._weight <= 100


async def test_characters_of_what_was_run_for_those_who_catch_up():
    renderings = Renderings()
    body = response.Body("x" * (MOST_CHARACTERS_KEPT // 4))

    async def later():
        return body

    for number in range(10):
        made = body if number % 2 else later
        assert await renderings.get(number, lambda m=made: m if m is body else m(), is_shared=True)
    assert len(renderings._kept) == 4


# ---- pings


@pytest.mark.parametrize("size", [10, 250_000])
async def test_nothing_is_echoed_before_the_init(size):
    async with Wire(CONSUMER, init=False) as wire:
        await wire.send(type="ping", payload={"x": "y" * size})
        assert await wire.receive() == {"type": "pong"}


async def test_a_short_payload_of_a_ping_is_echoed_after_it():
    async with Wire(CONSUMER) as wire:
        for size, is_echoed in ((100, True), (2000, False)):
            await wire.send(type="ping", payload={"x": "y" * size})
            assert ("payload" in await wire.receive()) is is_echoed
