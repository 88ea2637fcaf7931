"""The attackers' process: so many sockets, for so long, each coming back when thrown out."""

import asyncio
import contextlib
import os
from collections import Counter, defaultdict
from typing import Any

from benchmarks import wire
from benchmarks.attacks import ATTACKS, Attack, Socket

NICENESS = 15
# Before a socket that was thrown out comes back: with it, 200 sockets are 200 new
# connections a second at most.
RETURN_SECONDS = 1.0
HANDSHAKE_SECONDS = 15

Outcomes = dict[str, Counter[str]]


def attack_for(
    port: int, cookies: list[str], attacks: list[str], sockets: int, seconds: float, out: Any
) -> None:
    """Attack the server on this machine's `port`; put what the sockets met into `out`."""
    os.nice(NICENESS)
    out.put(asyncio.run(_attack(port, cookies, attacks, sockets, seconds)))


async def _attack(
    port: int, cookies: list[str], attacks: list[str], sockets: int, seconds: float
) -> Any:
    outcomes: Outcomes = defaultdict(Counter)
    chosen = [attack for attack in ATTACKS if attack.__name__ in attacks]
    tasks = [
        # Of two neighbours, which have the same attack, one is logged in.
        _attacker(
            chosen[n // 2 % len(chosen)],
            port,
            cookies[n % len(cookies)] if n % 2 else "",
            outcomes,
            delay=n * 0.01,
        )
        for n in range(sockets)
    ]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*tasks)
    return {name: dict(counter) for name, counter in outcomes.items()}


async def _attacker(
    attack: Attack, port: int, cookie: str, outcomes: Outcomes, delay: float
) -> None:
    met = outcomes[attack.__name__]
    await asyncio.sleep(delay)
    while True:
        try:
            met[await _once(attack, port, cookie)] += 1
        except asyncio.CancelledError:
            met["still connected at the end"] += 1
            raise
        await asyncio.sleep(RETURN_SECONDS)


async def _once(attack: Attack, port: int, cookie: str) -> str:
    """Attack with one socket until it is thrown out; return how that went."""
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(wire.handshake(port, cookie))
            head = await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return "no handshake"
    if not head.startswith(b"HTTP/1.1 101"):
        writer.close()
        return head[9:12].decode()
    socket = Socket(reader, writer)
    socket.reads.set()
    watching = asyncio.create_task(_watch(socket))
    try:
        return await _until_thrown_out(attack, socket, watching)
    finally:
        watching.cancel()
        writer.transport.abort()


async def _until_thrown_out(attack: Attack, socket: Socket, watching: "asyncio.Task[str]") -> str:
    attacking = asyncio.ensure_future(attack(socket))
    try:
        await asyncio.wait([attacking, watching], return_when=asyncio.FIRST_COMPLETED)
        if not watching.done():
            socket.reads.set()
            # Thrown out while writing: what it was told may still be on its way.
            await asyncio.wait([watching], timeout=1)
        return watching.result() if watching.done() else "dropped"
    finally:
        attacking.cancel()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await attacking


async def _watch(socket: Socket) -> str:
    """Read until the server closes; return its close code."""
    rest = b""
    while True:
        try:
            await socket.reads.wait()
            data = await socket.reader.read(65536)
        except OSError:
            return "reset"
        if not data:
            return "end without a close frame"
        frames, rest = wire.split(rest + data)
        for opcode, payload in frames:
            if b"connection_ack" in payload:
                socket.acknowledged.set()
            if opcode == wire.CLOSE:
                return f"close {int.from_bytes(payload[:2], 'big')}"
