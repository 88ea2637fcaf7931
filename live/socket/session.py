"""One client's accepted socket, with all that belongs to it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from live import metrics
from live.concurrency import outage
from live.concurrency.token_bucket import TokenBucket
from live.concurrency.usage import Measured
from live.conf import conf
from live.errors import LiveError, TooManyOperations, is_unavailable
from live.execution.response import encode
from live.fanout.hub import Hub
from live.identity import identify, rights_cache
from live.identity.rate_limits import Client, address_of, client_of
from live.socket import close_codes
from live.socket import operation as operations
from live.socket.close_codes import Close, CloseCode
from live.socket.daphne import reading_of, with_backpressure
from live.socket.heartbeat import Heartbeat, Overdue, Ping
from live.socket.intake import READING, Intake, turn_of, weight
from live.socket.messages import is_longer
from live.socket.operation import Operation
from live.socket.protocol import Connection, Initialise, Reply, Start, State, Stop
from live.socket.quota import Quota
from live.socket.replies import Replies
from live.socket.rights import Rights
from live.socket.send_queue import FRAME_EXTENSION, Send, SendQueue

logger = logging.getLogger(__name__)

VERSION = "0.1.0"

# What the messages before a close may take: a client that does not read would hold it up.
LAST_MESSAGES_SECONDS = 1

# What goes on after its socket is gone (a mutation, an `unsubscribed` hook); the loop
# itself would hold it weakly only.
_unfinished: set[asyncio.Task[None]] = set()


class Application(operations.Application, Protocol):
    """The application's settings and hooks for its sockets."""

    send_ping_every: float | None
    connection_init_wait_timeout: float | None
    strict_ordering: bool

    async def on_connect(self, payload: Any) -> None:
        """Admit the client; raise to refuse it."""


class Session:
    """`receive` takes what the client sends; `send_queue` carries what is sent to it.

    Args:
        application: the consumer.
        scope: the ASGI scope, with `user` and `session`; a log-in changes them there.
        channel_name: by it `broadcast` can leave this socket out.
        protocol: the subprotocol's state.
        client: whose rate limits hold.
        send: the ASGI `send`.
        close: closes the socket, with a code and a reason.
    """

    __slots__ = (
        "_close",
        "_initialising",
        "_intake",
        "_messages",
        "_tasks",
        "application",
        "channel_name",
        "client",
        "closed",
        "heartbeat",
        "hub",
        "operations",
        "protocol",
        "quota",
        "rights",
        "scope",
        "send_queue",
    )

    def __init__(
        self,
        application: Application,
        scope: dict[str, Any],
        channel_name: str,
        protocol: Connection,
        client: Client,
        send: Send,
        close: Callable[..., Awaitable[None]],
    ) -> None:
        self.application, self.scope, self.channel_name = application, scope, channel_name
        self.protocol, self.client, self._close = protocol, client, close
        self.hub = Hub.current()
        self.closed = False
        self.quota = Quota(address_of(scope))
        self.rights = Rights(self)
        self.operations: dict[str, Operation] = {}
        self.heartbeat = Heartbeat(
            time.monotonic(),
            init_timeout=application.connection_init_wait_timeout,
            # A client does not answer the legacy protocol's `ka`.
            answers_pings=not protocol.is_legacy,
        )
        extension = (scope.get("extensions") or {}).get(FRAME_EXTENSION, {})
        send = with_backpressure(send)
        self.send_queue = SendQueue(
            send,
            conf.OUTBOX_SIZE,
            conf.NOTIFICATIONS_IN_OUTBOX,
            on_overflow=self._too_slow,
            on_broken=self._broken,
            write=extension.get("write"),
            most_bytes=conf.OUTBOX_BYTES,
        )
        self._intake = Intake(self.send_queue, reading_of(send))
        self._messages = TokenBucket(conf.MESSAGES_PER_SECOND, conf.MESSAGES_AT_ONCE)
        self._tasks = 0  # of `spawn`, not yet done
        self._initialising: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Register the socket with the hub, from the moment it is accepted."""
        self.hub.enter(self)
        self.quota.begin()
        self._look_again_if_later(self.scope.get("looked_at", rights_cache.clearings()))

    async def end(self) -> None:
        """End everything that belongs to the socket, however it ended. Idempotent."""
        self.closed = True
        self.send_queue.close()
        self._stop_operations()
        self.rights.stop()
        self.quota.end()
        await self.hub.leave(self)

    # ---- what comes in

    async def ready(self) -> None:
        """Return when the client's next message may be taken."""
        if not self.closed:
            usage = self.client.shares.usage
            if usage.is_heavy:
                await self._intake.turn(usage, self.hub.scheduler, READING)
            await self._intake.ready()

    async def receive(self, text: str | None) -> None:
        """Handle one frame (None for a binary one). Raises nothing, whatever the frame holds."""
        if self.closed:
            return
        self.heartbeat.heard()
        usage = self.client.shares.usage
        await self._intake.turn(usage, self.hub.scheduler)
        try:
            if not self.closed:
                await Measured(self._receive(text), usage)
        except Exception as error:
            self.fail(error)

    async def _receive(self, text: str | None) -> None:
        if text is not None and is_longer(text, conf.MAX_MESSAGE_BYTES):
            self._exceed("message_bytes", close_codes.MESSAGE_TOO_BIG)
            return
        if not self._messages.take():
            self._exceed("messages_per_second", close_codes.TOO_MANY_MESSAGES)
            return
        match self.protocol.receive(text):
            case Close() as close:
                self.close_with(close)
            case Reply(message):
                self.send_queue.put(encode(message))
            case Start() if not self.client.allow_request():
                self._exceed("requests_of_client", close_codes.TOO_MANY_REQUESTS)
            case Initialise(payload):
                self._initialising = self.spawn(self._initialise(payload))
                await self._in_order(self._initialising)
            case Start(id, payload):
                await self._start(id, payload, weight(text or ""))
            case Stop(id, reply):
                self._stop(id, reply)

    def _exceed(self, limit: str, close: Close) -> None:
        metrics.limits.labels(limit=limit).inc()
        self.close_with(close)

    async def _in_order(self, task: "asyncio.Task[None]") -> None:
        """Let `task` go on beside the socket, or end before the next message if that is asked."""
        if self.application.strict_ordering:
            await task

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start work that goes on to its end, also without the socket."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks += 1
        _unfinished.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks -= 1
        _unfinished.discard(task)

    # ---- admission

    async def _initialise(self, payload: dict[str, Any]) -> None:
        try:
            await self._admit(payload)
        except Exception as error:
            self._refuse(error)
            return
        every = self.application.send_ping_every
        acknowledgement = {"server": "Wardcast", "version": VERSION, "ping": every}
        self.send_queue.put(encode(self.protocol.acknowledge(acknowledgement)))
        self.heartbeat.initialised(time.monotonic(), every)
        if every and self.protocol.is_legacy:
            self._ping()  # legacy clients expect one at once

    def _refuse(self, error: Exception) -> None:
        is_told = isinstance(error, Refusal)
        cause = error.__cause__ if is_told else error
        if cause is not None and is_unavailable(cause):
            self.fail(cause)
            return
        # The client sees the text of our own errors only; other errors are masked.
        message, close = self.protocol.reject(str(error) if is_told else None)
        if message is not None:
            self.send_queue.put(encode(message))
        self.close_with(close, cause=cause)

    async def _admit(self, payload: dict[str, Any]) -> None:
        looked_at = rights_cache.clearings()
        await identify.identify_socket(self.scope, payload)
        self._look_again_if_later(looked_at)
        try:
            await self.application.on_connect(payload)
        except LiveError as error:
            raise Refusal(str(error.message)) from error
        self.user_changed()
        self.quota.check_sockets()
        if payload.get("confirmSubscriptions") is True:
            self.application.confirm_subscriptions = True

    def _look_again_if_later(self, looked_at: int) -> None:
        # The socket had no user yet: the hub could not announce a change of the user's rights.
        if looked_at != rights_cache.clearings():
            self.rights_changed(None)

    # ---- operations

    async def _start(self, id: str, payload: dict[str, Any], size: int) -> None:
        replies = Replies(id, self.protocol, self.send_queue)
        operation = self.operations[id] = Operation(self, id, replies)
        # The bound has room for all subscriptions: a client reopens all of them at once.
        if self._tasks >= conf.MAX_OPERATIONS_PER_SOCKET + conf.MAX_SUBSCRIPTIONS_PER_SOCKET:
            operation.fail([TooManyOperations(limit="operations_per_socket")])
            return
        self._intake.begin(size)
        await self._in_order(self.spawn(self._run_counted(operation, payload, size)))

    async def _run_counted(self, operation: Operation, payload: dict[str, Any], size: int) -> None:
        try:
            usage = self.client.shares.usage
            await turn_of(usage, self.hub.scheduler)
            await Measured(self._run(operation, payload), usage)
        finally:
            self._intake.end(size)

    async def _run(self, operation: Operation, payload: dict[str, Any]) -> None:
        """Run an operation once the client is admitted; nothing runs for one that is not."""
        if self._initialising and not self._initialising.done():
            await asyncio.wait([self._initialising])
        if self.protocol.state is State.ACKNOWLEDGED and not operation.ended:
            await operation.run(payload)

    def _stop(self, id: str, reply: dict[str, Any] | None) -> None:
        operation = self.operations.get(id)
        if operation:
            operation.stop()
        if reply:
            self.send_queue.put(encode(reply))

    def _stop_operations(self) -> None:
        for operation in list(self.operations.values()):
            operation.stop()

    def operation_ended(self, operation: Operation) -> None:
        """Free the operation's id."""
        self.heartbeat.active(time.monotonic())
        self.operations.pop(operation.id, None)
        self.protocol.finish(operation.id)

    # ---- closing

    def fail(self, error: BaseException) -> None:
        """Close the socket after a failure that no message can report to its client."""
        if away := is_unavailable(error):
            outage.database_failed(error)
        self.close_with(close_codes.UNAVAILABLE if away else close_codes.FAILED, cause=error)

    def forbid(self) -> None:
        """Close the socket because its client lost its rights."""
        self.close_with(close_codes.FORBIDDEN)

    def close_with(self, close: Close, cause: BaseException | None = None) -> None:
        """Close the socket after the messages that were sent before."""
        if not self.closed:
            self.closed = True
            metrics.closes.labels(code=int(close.code)).inc()
            # Only the cause's type is logged: its text may quote the client, or a patient.
            why = f"{close.reason} ({type(cause).__name__})" if cause else close.reason
            level = logging.ERROR if close.code is CloseCode.INTERNAL_ERROR else logging.DEBUG
            logger.log(level, "Closing a socket with %d: %s", close.code, why)
            self.spawn(self._send_close(close))

    async def _send_close(self, close: Close) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_MESSAGES_SECONDS):
                await self.send_queue.flushed()
        self.send_queue.close()
        self._stop_operations()
        try:
            await self._close(code=int(close.code), reason=close.reason)
        except Exception as error:
            logger.debug("The socket was gone before its close: %s", type(error).__name__)

    def _broken(self) -> None:
        self.closed = True

    def _too_slow(self) -> None:
        self.close_with(close_codes.TOO_SLOW)

    # ---- what the hub calls

    def beat(self, now: float) -> None:
        """Do what is due at `now`, of time.monotonic; called twice a second."""
        if self.closed:
            return
        if self._intake.is_paused:
            self.heartbeat.heard()  # its pongs are not read
        due = self.heartbeat.beat(
            now,
            is_new=self.protocol.state is State.NEW,
            is_used=bool(self.operations),
            stuck_for=self.send_queue.stuck_for(now),
        )
        match due:
            case Ping():
                self._ping()
            case Overdue(limit, close):
                self._exceed(limit, close)

    def _ping(self) -> None:
        self.send_queue.put(encode(self.protocol.ping()))

    def events_lost(self) -> None:
        """Close the socket if it has subscriptions: events that they should get are lost."""
        if self.quota.subscriptions:
            # Events after the gap would make the client believe that there was no gap.
            self.suspend()
            self.close_with(close_codes.EVENTS_LOST)
        else:
            # Changes of rights may be lost, too.
            self.rights_changed(None)

    def kicked(self, user_ids: frozenset[int]) -> None:
        """Close the socket if it is one of these users'."""
        if identify.user_id(self.scope) in user_ids:
            self.suspend()
            self.close_with(close_codes.KICKED)

    def rights_changed(self, user_ids: frozenset[int] | None) -> None:
        """Withhold events until it is known what the user may see now."""
        self.rights.changed(user_ids)

    def look_is_old(self) -> None:
        """Withhold events: it is not known for too long whether the user is still logged in."""
        self.rights.look_is_old()

    # ---- what its rights call

    def suspend(self) -> None:
        """Deliver nothing until the operations are authorized again."""
        for operation in self.operations.values():
            if operation.member is not None:
                self.hub.suspend(operation.member)

    def user_changed(self) -> None:
        """Count the socket, and what it asks for, for whoever is behind it now."""
        self.quota.belongs_to(identify.user_id(self.scope))
        self.client = client_of(self.scope)

    async def reauthorize(self) -> bool:
        """Go on with what the user may still see; return False where nothing is left of it."""
        watched = self.quota.subscriptions
        for operation in list(self.operations.values()):
            if not self.closed:
                await operation.reauthorize()
        return not watched or bool(self.quota.subscriptions)


class Refusal(Exception):
    """The application refused a client, by an error whose text is written for it."""
