"""Backpressure for Daphne, whose `send` never waits for a client that does not read."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

from live.socket.send_queue import Send


def with_backpressure(send: Send) -> Send:
    """Return the ASGI `send` of a socket, made to wait while its client does not read.

    Every other server's waits by itself. Daphne is recognised by its `send`: it is its
    protocol's `handle_reply`, whose transport tells a push producer when it has too much to
    write.
    """
    if not isinstance(send, partial) or not send.args:
        return send
    protocol = send.args[0]
    if not hasattr(protocol, "registerProducer"):
        return send
    return _WaitingSend(send, protocol)


class _WaitingSend:
    """Twisted's push producer: stopped by the transport at 64 KiB, until it has written them.

    https://docs.twisted.org/en/stable/api/twisted.internet.interfaces.IPushProducer.html
    """

    def __init__(self, send: Send, protocol: Any) -> None:
        self._send = send
        self._resumed: asyncio.Event | None = None
        # The HTTP request's, which the socket was before.
        protocol.unregisterProducer()
        protocol.registerProducer(self, True)

    def __call__(self, message: dict[str, Any]) -> Awaitable[None]:
        return self._send(message) if self._resumed is None else self._send_later(message)

    async def _send_later(self, message: dict[str, Any]) -> None:
        while self._resumed is not None:
            await self._resumed.wait()
        await self._send(message)

    # ---- Twisted's names

    def pauseProducing(self) -> None:
        """The transport has enough to write."""
        self._resumed = self._resumed or asyncio.Event()

    def resumeProducing(self) -> None:
        """The transport has written it all."""
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    def stopProducing(self) -> None:
        """The connection is lost: nothing waits for it."""
        self.resumeProducing()
