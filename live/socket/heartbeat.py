"""Whether a socket is alive: its first message in time, its pongs, its silence."""

import time
from typing import TYPE_CHECKING

from live import metrics
from live.conf import conf
from live.socket.protocol import Close, CloseCode, State

if TYPE_CHECKING:
    from live.socket.consumer import LiveConsumer

# Pings without an answer after which the peer is taken for gone.
UNANSWERED = 2


class Heartbeat:
    """One socket's times. The hub's pulse calls `beat`; no socket has a timer of its own."""

    __slots__ = ("_active_at", "_due", "_opened_at", "_socket", "_unanswered")

    def __init__(self, socket: "LiveConsumer") -> None:
        self._socket = socket
        self._opened_at = self._active_at = time.monotonic()
        self._due: float | None = None  # of the next ping
        self._unanswered = 0

    def heard(self) -> None:
        """The client sent something: it is there."""
        self._unanswered = 0

    def active(self) -> None:
        """An operation began or ended: the socket is in use."""
        self._active_at = time.monotonic()

    def initialised(self) -> None:
        """The connection was acknowledged: pings begin (legacy clients expect one at once)."""
        self.active()
        if self._socket.send_ping_every:
            self._due = self._active_at + self._socket.send_ping_every
            if self._socket.protocol.is_legacy:
                self._socket.send_message(self._socket.protocol.ping())

    def beat(self, now: float) -> None:
        """Do what is due at `now` (of time.monotonic)."""
        if self._socket.closed:
            return
        if self._socket.send_queue.stuck_for(now) > conf.SLOW_CLIENT_SECONDS:
            metrics.limits.labels(limit="slow_client").inc()
            self._socket.too_slow()
        elif self._socket.protocol.state is State.NEW:
            self._check_init(now)
        elif self._due is not None and now >= self._due:
            self._ping(now)
        elif not self._socket.operations and now - self._active_at > conf.IDLE_TIMEOUT:
            self._close("idle", CloseCode.NOT_RESPONDING, "Idle for too long")

    def _check_init(self, now: float) -> None:
        timeout = self._socket.connection_init_wait_timeout
        if timeout and now - self._opened_at > timeout:
            code = CloseCode.CONNECTION_INIT_TIMEOUT
            self._close("init", code, "Connection initialisation timeout")

    def _ping(self, now: float) -> None:
        # Legacy clients do not answer a `ka`: there, the server's own WebSocket pings tell.
        if not self._socket.protocol.is_legacy:
            if self._unanswered >= UNANSWERED:
                self._close("pong", CloseCode.NOT_RESPONDING, "Pings are not answered")
                return
            self._unanswered += 1
        self._due = now + (self._socket.send_ping_every or 0)
        self._socket.send_message(self._socket.protocol.ping())

    def _close(self, limit: str, code: CloseCode, reason: str) -> None:
        metrics.limits.labels(limit=limit).inc()
        self._socket.close_with(Close(code, reason))
