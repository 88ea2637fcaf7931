"""What one operation sends to its client: messages with its id."""

from typing import Any

from live.conf import conf
from live.execution.response import Body, encode, too_large
from live.socket.messages import is_longer
from live.socket.protocol import Connection, Prefix
from live.socket.send_queue import SendQueue


class Replies:
    """Puts the messages of the operation `id` into the socket's queue."""

    __slots__ = ("_id", "_newest", "_prefix", "_protocol", "_queue")

    def __init__(self, id: str, protocol: Connection, queue: SendQueue) -> None:
        self._id, self._protocol, self._queue = id, protocol, queue
        self._prefix: Prefix
        self._newest: tuple[str, int] | None

    def result(self, response: dict[str, Any]) -> None:
        """Send a GraphQL response; more may follow."""
        message = encode(self._protocol.next(self._id, response))
        if is_longer(message, conf.MAX_ANSWER_BYTES):
            message = encode(self._protocol.next(self._id, too_large()))
        self._queue.put(message)

    def refuse(self, errors: list[Any]) -> None:
        """Send formatted errors: the operation did not run, or cannot continue. Nothing follows."""
        self._queue.put(encode(self._protocol.error(self._id, errors)))

    def complete(self) -> None:
        """Send that the operation has ended."""
        self._queue.put(encode(self._protocol.complete(self._id)))

    # ---- notifications

    def expect_notifications(self, limit: int | None) -> None:
        """Prepare for notifications; for a slow client, only the newest `limit` of them wait."""
        self._prefix = self._protocol.next_prefix(self._id)
        self._newest = (self._id, limit) if limit else None

    def notify(self, body: Body) -> bool:
        """Send a notification; return False where the queue is full."""
        return self._queue.put_shared(self._prefix, body, newest=self._newest)

    async def room(self) -> None:
        """Return when the queue may have room again."""
        await self._queue.room()
