"""Whether a client is alive: its first message in time, its pongs, its silence. Pure."""

from dataclasses import dataclass
from enum import Enum, auto

from live.conf import conf
from live.socket.close_codes import IDLE, NO_INIT, NO_PONG, TOO_SLOW, Close

# After this many pings without an answer, the client counts as gone. Not a setting: how often
# they are sent is one.
UNANSWERED = 2


class Ping(Enum):
    """It is time for a ping."""

    DUE = auto()


@dataclass(frozen=True, slots=True)
class Overdue:
    """The socket is to be closed; `limit` is what the metric of limits calls it."""

    limit: str
    close: Close


class Heartbeat:
    """One socket's times, all of `time.monotonic`; no socket has a timer of its own.

    Args:
        now: when the socket was accepted.
        init_timeout: seconds for `connection_init`; None or 0 is without end.
        answers_pings: whether the subprotocol has an answer to pings. The legacy one has none:
            there, the ASGI server's own WebSocket pings tell.
    """

    __slots__ = (
        "_active_at",
        "_answers_pings",
        "_due",
        "_init_timeout",
        "_opened_at",
        "_ping_every",
        "_unanswered",
    )

    def __init__(
        self,
        now: float,
        *,
        init_timeout: float | None,
        answers_pings: bool,
    ) -> None:
        self._opened_at = self._active_at = now
        self._ping_every, self._init_timeout = 0.0, init_timeout
        self._answers_pings = answers_pings
        self._due: float | None = None  # of the next ping
        self._unanswered = 0

    def heard(self) -> None:
        """The client sent something: it is there."""
        self._unanswered = 0

    def active(self, now: float) -> None:
        """An operation ended: the socket is in use."""
        self._active_at = now

    def initialised(self, now: float, ping_every: float | None) -> None:
        """The connection was acknowledged: pings begin, each so many seconds (None or 0: never)."""
        self.active(now)
        if ping_every:
            self._ping_every, self._due = ping_every, now + ping_every

    def beat(
        self, now: float, *, is_new: bool, is_used: bool, stuck_for: float
    ) -> Ping | Overdue | None:
        """Return what is due at `now`.

        Args:
            is_new: no `connection_init` has come yet.
            is_used: operations are running.
            stuck_for: seconds for which the client has taken nothing of what waits for it.
        """
        if stuck_for > conf.SLOW_CLIENT_SECONDS:
            return Overdue("slow_client", TOO_SLOW)
        if is_new:
            is_late = self._init_timeout and now - self._opened_at > self._init_timeout
            return Overdue("init", NO_INIT) if is_late else None
        if self._due is not None and now >= self._due:
            return self._ping(now)
        if not is_used and now - self._active_at > conf.IDLE_TIMEOUT:
            return Overdue("idle", IDLE)
        return None

    def _ping(self, now: float) -> Ping | Overdue:
        if self._answers_pings:
            if self._unanswered >= UNANSWERED:
                return Overdue("pong", NO_PONG)
            self._unanswered += 1
        self._due = now + self._ping_every
        return Ping.DUE
