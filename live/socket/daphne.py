"""Backpressure for Daphne: its `send` waits for no client, and it reads whatever a client sends."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

from live.conf import conf
from live.socket.send_queue import Send


class Reading:
    """What is read from a socket. A server other than Daphne stops by itself where the
    application does not call `receive`.
    """

    def pause_reading(self) -> None:
        """Read nothing more from the client for now."""

    def resume_reading(self) -> None:
        """Read on."""


def reading_of(send: Send) -> Reading:
    """Return the reading of the socket whose ASGI `send` came out of `with_backpressure`."""
    return send if isinstance(send, _WaitingSend) else Reading()


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


class _WaitingSend(Reading):
    """Twisted's push producer: stopped by the transport at 64 KiB, until it has written them.

    https://docs.twisted.org/en/stable/api/twisted.internet.interfaces.IPushProducer.html
    """

    def __init__(self, send: Send, protocol: Any) -> None:
        self._send, self._protocol = send, protocol
        self._resumed: asyncio.Event | None = None
        # Twice what the engine takes, which has the better close code: Daphne has no bound.
        protocol.maxMessagePayloadSize = 2 * conf.MAX_MESSAGE_BYTES
        protocol.onPing = self._answer
        # The HTTP request's, which the socket was before.
        protocol.unregisterProducer()
        protocol.registerProducer(self, True)

    def __call__(self, message: dict[str, Any]) -> Awaitable[None]:
        return self._send(message) if self._resumed is None else self._send_later(message)

    async def _send_later(self, message: dict[str, Any]) -> None:
        while self._resumed is not None:
            await self._resumed.wait()
        await self._send(message)

    def _answer(self, payload: bytes) -> None:
        """Answer a WebSocket ping, unless the client does not read: the answers would gather."""
        if self._resumed is None:
            self._protocol.sendPong(payload)

    def pause_reading(self) -> None:
        """Let what the client sends wait with it: Daphne would gather it in memory."""
        self._protocol.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Read on."""
        self._protocol.transport.resumeProducing()

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
