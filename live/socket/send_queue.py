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
        on_broken: called, once, when the server refuses to send: the client is gone.
        write: the frame extension's function, None where the server has none.
    """

    __slots__ = (
        "_on_broken",
        "_on_overflow",
        "_room",
        "_send",
        "_sending_since",
        "_waiting",
        "_write",
        "_writer",
        "closed",
        "most",
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
    ) -> None:
        self._send, self._write = send, write
        # However it is set up, notifications alone are no reason to give up on a client: the
        # answers and pings between them find room.
        self.most, self.most_shared = most, max(1, min(most_shared, most // 2))
        self._on_overflow, self._on_broken = on_overflow, on_broken
        # (tag, frame): frames of a subscription that keeps only its newest have a tag.
        # Those of a shared message are its prefix and its body, which is there once for all.
        self._waiting: deque[tuple[str | None, str | tuple[str, Body]]] = deque()
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
        elif sum(tag is None for tag, _ in self._waiting) >= self.most:
            self.closed = True
            self._on_overflow()
        else:
            self._waiting.append((None, frame))

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
        if newest is not None:
            self._make_room(*newest)
        elif len(self._waiting) >= self.most_shared:
            return False
        self._waiting.append((newest and newest[0], (prefix.text, body)))
        return True

    async def room(self) -> None:
        """Return when half of the messages that may wait are gone."""
        if self._writer is not None and len(self._waiting) > self.most_shared // 2:
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
        self._waiting.clear()
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
                _, frame = self._waiting.popleft()
                self._tell_room()
                text = frame if isinstance(frame, str) else f"{frame[0]}{frame[1]}{NEXT_END}"
                self._sending_since = time.monotonic()
                await self._send({"type": "websocket.send", "text": text})
        except Exception:
            self._broken()
        finally:
            self._writer = self._sending_since = None
            self._tell_room()

    def _tell_room(self) -> None:
        if self._room is not None and len(self._waiting) <= self.most_shared // 2:
            self._room.set()
            self._room = None

    def _make_room(self, tag: str, newest: int) -> None:
        waiting = [index for index, (other, _) in enumerate(self._waiting) if other == tag]
        for index in reversed(waiting[: max(0, len(waiting) - newest + 1)]):
            del self._waiting[index]

    def _broken(self) -> None:
        # Nobody takes it any more; and whoever waits for room goes on by it.
        self._waiting.clear()
        if not self.closed:
            self.closed = True
            self._on_broken()


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
