"""What is sent to one socket: at once while its client reads, queued within bounds while not."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from live.execution.response import Body
from live.socket.protocol import NEXT_END, Prefix

Send = Callable[[dict[str, Any]], Awaitable[None]]

# The ASGI extension of live.socket.uvicorn; without it every frame goes by `send`.
FRAME_EXTENSION = "wardcast.frame"
_END = NEXT_END.encode()
# Of `most_bytes`, what may wait before no more is read from the client.
UNREAD_PART = 8

_Frame = tuple[str | None, bytes | tuple[str, Body], int]


class SendQueue:
    """Sends frames in order, and never makes the caller wait.

    A frame is sent at once, from the caller's own turn, as long as the server takes it
    without waiting. From the first that has to wait on, a task writes what queues up, until
    the queue is empty again.

    Args:
        send: the ASGI `send`.
        most: frames that may wait, not counting subscriptions that keep their newest; at one
            more, `on_overflow` is called, once.
        most_shared: of them, messages put by `put_shared`; half of them at the most.
        most_bytes: bytes that may wait, of both; at one more, it is as with `most`. What is sent
            alone may be larger.
        on_broken: called, once, when the server refuses to send: the client is gone.
        write: the frame extension's function, None where the server has none.
    """

    __slots__ = (
        "_bytes",
        "_on_broken",
        "_on_overflow",
        "_own_bytes",
        "_read",
        "_room",
        "_send",
        "_sending_since",
        "_waiting",
        "_write",
        "_writer",
        "closed",
        "most",
        "most_bytes",
        "most_shared",
    )

    def __init__(
        self,
        send: Send,
        most: int,
        most_shared: int,
        on_overflow: Callable[[], None],
        on_broken: Callable[[], None],
        write: Callable[[bytes], bool] | None = None,
        most_bytes: int = 1_048_576,
    ) -> None:
        self._send, self._write = send, write
        # However it is set up, notifications alone are no reason to give up on a client: the
        # answers and pings between them find room.
        self.most, self.most_shared = most, max(1, min(most_shared, most // 2))
        self.most_bytes = most_bytes
        self._on_overflow, self._on_broken = on_overflow, on_broken
        # (tag, frame, size): frames of a subscription that keeps only its newest have a tag.
        # Those of a shared message are its prefix and its body, which is there once for all; the
        # others are bytes, since one emoji makes Python's text four times as large.
        self._waiting: deque[_Frame] = deque()
        self._bytes = self._own_bytes = 0
        self._read: asyncio.Event | None = None
        self._room: asyncio.Event | None = None
        self._sending_since: float | None = None
        self._writer: asyncio.Task[None] | None = None
        self.closed = False

    def put(self, frame: str) -> None:
        """Send a text frame."""
        if self.closed:
            return
        if self._writer is None:
            self._send_now(frame)
            return
        data = frame.encode()
        own = sum(entry[0] is None for entry in self._waiting)
        if own >= self.most or not self._fits(len(data)):
            self.closed = True
            self._on_overflow()
        else:
            self._add((None, data, len(data)))

    @property
    def is_unread(self) -> bool:
        """Whether the client leaves so many answers unread that it should ask for no more.

        Notifications do not count: who is slow with them reads them from the log.
        """
        return self._own_bytes > self.most_bytes // UNREAD_PART

    async def read(self) -> None:
        """Return when `is_unread` is false, or the client is gone."""
        while self._writer is not None and self.is_unread:
            self._read = self._read or asyncio.Event()
            await self._read.wait()

    def put_shared(
        self, prefix: Prefix, body: Body, *, newest: tuple[str, int] | None = None
    ) -> bool:
        """Send a message that many sockets get, each behind a prefix of its own.

        With `newest`, a tag and a number, at most so many messages of that tag wait: the
        oldest makes room. Without it, return False where there is no room, see `room`.
        """
        if self.closed:
            return True
        if self._writer is None:
            if self._write is None or not self._write(prefix.data + body.data(_END)):
                self._send_now(f"{prefix.text}{body}{NEXT_END}")
            return True
        size = len(prefix.data) + len(body.data(_END))
        if newest is not None:
            self._make_room(*newest)
        elif len(self._waiting) >= self.most_shared or not self._fits(size):
            return False
        self._add((newest and newest[0], (prefix.text, body), size))
        return True

    def _fits(self, size: int) -> bool:
        return not self._waiting or self._bytes + size <= self.most_bytes

    def _add(self, entry: "_Frame") -> None:
        self._waiting.append(entry)
        self._count(entry, 1)

    def _count(self, entry: "_Frame", sign: int) -> None:
        self._bytes += sign * entry[2]
        if isinstance(entry[1], bytes):
            self._own_bytes += sign * entry[2]

    async def room(self) -> None:
        """Return when half of the messages and bytes that may wait are gone."""
        if self._writer is not None and not self._has_room:
            self._room = self._room or asyncio.Event()
            await self._room.wait()

    def stuck_for(self, now: float) -> float:
        """Return the seconds, at `now` of time.monotonic, for which the client takes nothing."""
        return 0.0 if self._sending_since is None else now - self._sending_since

    async def flushed(self) -> None:
        """Return when everything put so far is with the server, or will never be."""
        if self._writer is not None:
            # Not awaited itself: its cancellation, by `close`, is not the caller's.
            await asyncio.wait([self._writer])

    def close(self) -> None:
        """Send nothing more, and stop the writer."""
        self.closed = True
        self._clear()
        if self._writer is not None:
            self._writer.cancel()

    def _send_now(self, frame: str) -> None:
        # One step of the coroutine, without a task: it mostly ends there.
        sending = self._send({"type": "websocket.send", "text": frame}).__await__()
        try:
            waits_for = next(sending)
        except StopIteration:
            return
        except Exception:
            self._broken()
            return
        self._sending_since = time.monotonic()
        self._writer = asyncio.get_running_loop().create_task(
            self._write_rest(_Continued(sending, waits_for))
        )

    async def _write_rest(self, first: Awaitable[None]) -> None:
        try:
            await first
            while self._waiting:
                entry = self._waiting.popleft()
                self._count(entry, -1)
                self._tell_room()
                text = _text_of(entry[1])
                self._sending_since = time.monotonic()
                await self._send({"type": "websocket.send", "text": text})
        except Exception:
            self._broken()
        finally:
            self._writer = self._sending_since = None
            self._tell_room()

    @property
    def _has_room(self) -> bool:
        return len(self._waiting) <= self.most_shared // 2 and self._bytes <= self.most_bytes // 2

    def _clear(self) -> None:
        self._waiting.clear()
        self._bytes = self._own_bytes = 0

    def _tell_room(self) -> None:
        if self._room is not None and self._has_room:
            self._room.set()
            self._room = None
        if self._read is not None and not self.is_unread:
            self._read.set()
            self._read = None

    def _make_room(self, tag: str, newest: int) -> None:
        waiting = [index for index, entry in enumerate(self._waiting) if entry[0] == tag]
        if self._bytes > self.most_bytes:
            newest = 1
        for index in reversed(waiting[: max(0, len(waiting) - newest + 1)]):
            self._count(self._waiting[index], -1)
            del self._waiting[index]

    def _broken(self) -> None:
        # Nobody takes it any more; and whoever waits for room goes on by it.
        self._clear()
        if not self.closed:
            self.closed = True
            self._on_broken()


def _text_of(frame: bytes | tuple[str, Body]) -> str:
    return frame.decode() if isinstance(frame, bytes) else f"{frame[0]}{frame[1]}{NEXT_END}"


class _Continued:
    """Awaits the rest of a coroutine of which one step was taken already."""

    def __init__(self, started: Generator[Any, Any, None], waits_for: Any) -> None:
        self._started, self._waits_for = started, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                try:
                    waits_for = self._started.throw(error)
                except StopIteration:
                    return
            else:
                try:
                    waits_for = self._started.send(value)
                except StopIteration:
                    return
