"""A socket's way out: straight through while the client reads, bounded while it does not."""

import asyncio
import functools
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]

# The ASGI extension of live.frames; without it every frame goes by `send`.
FRAME_EXTENSION = "wardcast.frame"


class Body(str):
    """A notification's payload as JSON; its bytes are made once for all who get it."""

    @functools.cached_property
    def closing_data(self) -> bytes:
        """The payload's bytes with the brace that ends its message."""
        return self.encode() + b"}"


class Outbox:
    """Sends frames in order, and never makes the caller wait.

    A frame is sent at once, from the caller's own turn, as long as the server takes it
    without waiting. From the first that has to wait on, a task writes what queues up, until
    the queue is empty again.

    Args:
        send: the ASGI `send`.
        most: frames that may wait; at one more, `on_overflow` is called, once.
        on_broken: called, once, when the server refuses to send: the client is gone.
        write: the frame extension's function, None where the server has none.
    """

    __slots__ = (
        "_on_broken",
        "_on_overflow",
        "_send",
        "_waiting",
        "_write",
        "_writer",
        "closed",
        "most",
    )

    def __init__(
        self,
        send: Send,
        most: int,
        on_overflow: Callable[[], None],
        on_broken: Callable[[], None],
        write: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._send, self._write, self.most = send, write, most
        self._on_overflow, self._on_broken = on_overflow, on_broken
        # (tag, frame): frames of a subscription that keeps only its newest have a tag.
        self._waiting: deque[tuple[str | None, str]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self.closed = False

    def put(self, frame: str, *, tag: str | None = None, newest: int | None = None) -> None:
        """Send a text frame.

        With a `tag`, at most `newest` frames of that tag wait: the oldest makes room.
        """
        if self.closed:
            return
        if self._writer is None:
            self._send_now(frame)
            return
        if tag is not None and newest is not None:
            self._make_room(tag, newest)
        elif len(self._waiting) >= self.most:
            self.closed = True
            self._on_overflow()
            return
        self._waiting.append((tag, frame))

    def put_shared(
        self, prefix: str, prefix_data: bytes, body: Body, *, newest: tuple[str, int] | None = None
    ) -> None:
        """Send a message that many sockets get, each behind a prefix of its own.

        `newest` is a tag and how many of its frames may wait, as `put` has them.
        """
        direct = self._write if self._writer is None and not self.closed else None
        if direct is not None and direct(prefix_data + body.closing_data):
            return
        if newest is None:
            self.put(f"{prefix}{body}}}")
        else:
            self.put(f"{prefix}{body}}}", tag=newest[0], newest=newest[1])

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
        self._writer = asyncio.get_running_loop().create_task(
            self._write_rest(_Continued(sending, waits_for))
        )

    async def _write_rest(self, first: Awaitable[None]) -> None:
        try:
            await first
            while self._waiting:
                _, frame = self._waiting.popleft()
                await self._send({"type": "websocket.send", "text": frame})
        except Exception:
            self._broken()
        finally:
            self._writer = None

    def _make_room(self, tag: str, newest: int) -> None:
        waiting = [index for index, (other, _) in enumerate(self._waiting) if other == tag]
        for index in reversed(waiting[: max(0, len(waiting) - newest + 1)]):
            del self._waiting[index]

    def _broken(self) -> None:
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
