"""What hostile sockets do; each attack is a coroutine over one raw connection."""

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from benchmarks import wire

# Of one socket. An attacker may send more; the point is 200 of them for a minute, on a
# machine whose other core also has the good clients.
MESSAGES_PER_SECOND = 40


@dataclass
class Socket:
    """A connection of an attacker's, after the handshake."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Set unless the attack is not to read."""

    async def send(self, data: bytes) -> None:
        """Send raw bytes; raise OSError once the server has closed."""
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(1 / MESSAGES_PER_SECOND)

    async def initialise(self) -> None:
        """Do what a good client does, so as to be let in."""
        await self.send(wire.message("connection_init"))
        await self.acknowledged.wait()


Attack = Callable[[Socket], Awaitable[None]]
"""Goes on until the server closes the socket, or the time is over."""


async def garbage(socket: Socket) -> None:
    """Random bytes, as text frames, as binary ones, and as no frames at all."""
    while True:
        noise = os.urandom(random.randrange(1, 2000))
        await socket.send(random.choice([wire.frame(noise), wire.frame(noise, 2), noise]))


async def malformed(socket: Socket) -> None:
    """JSON that is no message."""
    texts = ["[]", "{}", "null", '{"type":"SUBSCRIBE"}', '{"type":"subscribe","id":7}', "{" * 999]
    while True:
        await socket.send(wire.frame(random.choice(texts)))


async def large(socket: Socket) -> None:
    """Messages beyond any sensible size."""
    await socket.initialise()
    while True:
        await socket.send(wire.request("1", "{" + " __typename" * 100_000 + "}"))


async def nested(socket: Socket) -> None:
    """Messages and documents nested deeply."""
    await socket.initialise()
    number = 0
    while True:
        number += 1
        await socket.send(wire.request(f"{number}", "{a" * 5000 + "}" * 5000))
        await socket.send(
            wire.frame('{"type":"ping","payload":' + '{"a":' * 9000 + "1" + "}" * 9001)
        )


async def fragments(socket: Socket) -> None:
    """Fragments that spread to two to the thirtieth fields."""
    await socket.initialise()
    spread = " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(30))
    number = 0
    while True:
        number += 1
        # A comment makes each a new document: no cache helps.
        query = f"#{number}\n{{ ...f0 }} {spread} fragment f30 on Query {{ __typename }}"
        await socket.send(wire.request(f"{number}", query))


async def aliases(socket: Socket) -> None:
    """The dearest field, hundreds of times in one document."""
    await socket.initialise()
    fields = " ".join(
        f"a{n}: patients(first: 100) {{ edges {{ node {{ id }} }} }}" for n in range(300)
    )
    number = 0
    while True:
        number += 1
        await socket.send(wire.request(f"{number}", f"#{number}\n{{ {fields} }}"))


async def operations(socket: Socket) -> None:
    """Operations and pings without a pause."""
    await socket.initialise()
    number = 0
    while True:
        many = [wire.request(f"{number + n}", wire.PAGE) for n in range(20)]
        number += 20
        await socket.send(b"".join(many) + wire.message("ping") * 20)


async def subscriptions(socket: Socket) -> None:
    """Subscriptions without end, each one different, so that no two share a run."""
    await socket.initialise()
    number = 0
    while True:
        number += 1
        query = f"#{random.random()}\n{wire.SUBSCRIPTION}"
        await socket.send(wire.request(f"{number}", query, category="B00"))


async def silent(socket: Socket) -> None:
    """A handshake and then nothing (slow-loris)."""
    await asyncio.Event().wait()


async def deaf(socket: Socket) -> None:
    """One who asks for much, and reads none of it."""
    await socket.initialise()
    socket.reads.clear()
    while True:
        filler = json.dumps({"filler": "x" * 10_000})
        await socket.send(wire.frame(f'{{"type":"ping","payload":{filler}}}'))


async def unread_pings(socket: Socket) -> None:
    """Large pings before any log-in, of text that Python keeps in four bytes a character."""
    socket.reads.clear()
    ping = wire.frame('{"type":"ping","payload":{"a":"' + "\N{GRINNING FACE}" * 60_000 + '"}}')
    while True:
        await socket.send(ping)


async def unread_answers(socket: Socket) -> None:
    """The largest answers there are, which are not read."""
    await socket.initialise()
    socket.reads.clear()
    fields = " ".join(
        f"a{n}: patients(first: 100) {{ edges {{ node {{ id name reason }} }} }}" for n in range(10)
    )
    number = 0
    while True:
        number += 1
        await socket.send(wire.request(f"{number}", f"{{ {fields} }}"))


async def searches(socket: Socket) -> None:
    """As many words as are taken, as often as one document may ask for them."""
    await socket.initialise()
    words = "q w x j z k v b y u"
    fields = " ".join(
        f'a{n}: patients(first: 1, search: "{words}{n}") {{ totalCount }}' for n in range(50)
    )
    number = 0
    while True:
        number += 1
        await socket.send(wire.request(f"{number}", f"{{ {fields} }}"))


async def log_ins(socket: Socket) -> None:
    """Passwords to be hashed, many in one document."""
    await socket.initialise()
    fields = " ".join(
        f'a{n}: login(username: "nobody{n}", password: "wrong") {{ ok }}' for n in range(50)
    )
    number = 0
    while True:
        number += 1
        await socket.send(wire.request(f"{number}", f"mutation {{ {fields} }}"))


async def junk_variables(socket: Socket) -> None:
    """One subscription, each time with other variables that it does not declare."""
    await socket.initialise()
    number = 0
    while True:
        number += 1
        junk = {"category": "B00", f"junk{number}": random.random()}
        await socket.send(wire.request(f"{number}", wire.SUBSCRIPTION, **junk))


async def churn(socket: Socket) -> None:
    """Handshakes, dropped at once."""
    socket.writer.transport.abort()
    raise ConnectionAbortedError("dropped by the attacker")


ATTACKS: list[Attack] = [
    *(garbage, malformed, large, nested, fragments, aliases),
    *(operations, subscriptions, silent, deaf, churn),
    *(unread_pings, unread_answers, searches, log_ins, junk_variables),
]
