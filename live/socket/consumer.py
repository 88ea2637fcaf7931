"""One client's socket: the only subclass of the library's consumer.

The library's public interface stays as its README has it: `schema`, `on_connect`,
`on_operation`, `middleware`, `send_ping_every`, `connection_init_wait_timeout`,
`strict_ordering`, `confirm_subscriptions`. What it does inside is replaced; every override
of a private name of it is here, and tests/live/test_library.py fails when it changes one.
"""

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import channels_graphql_ws
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from graphql import MiddlewareManager

from live import metrics
from live.concurrency.token_bucket import TokenBucket
from live.conf import conf
from live.errors import LiveError, TooManyOperations, format_error
from live.execution.resolvers import WorkerThreads
from live.execution.response import encode
from live.fanout.hub import Hub
from live.identity import identify, rights_cache
from live.identity.rate_limits import client_of
from live.socket import protocol
from live.socket.daphne import waiting
from live.socket.definition import FROM_SETTINGS, check_definition
from live.socket.heartbeat import Heartbeat
from live.socket.language import language_of
from live.socket.messages import is_longer
from live.socket.operation import Operation
from live.socket.protocol import Close, CloseCode, Initialise, Reply, Start, Stop
from live.socket.quota import Quota
from live.socket.rights import Rights
from live.socket.send_queue import FRAME_EXTENSION, SendQueue

logger = logging.getLogger(__name__)

VERSION = "0.1.0"

# Seconds that a client waits for the refusal of its socket: one that was thrown out, and comes
# back at once, would cost a handshake each time.
RELUCTANCE_SECONDS = 2

# What goes on after its socket is gone (a mutation, an `unsubscribed` hook); the loop
# itself would hold it weakly only.
_unfinished: set[asyncio.Task[None]] = set()


class LiveConsumer(channels_graphql_ws.GraphqlWsConsumer):
    """A socket that serves `schema`, which a subclass sets.

    A subclass that is only a base of others is declared with `abstract=True`:
    `class Base(LiveConsumer, abstract=True)`.
    """

    # Seconds; None or 0 switches it off.
    send_ping_every: Any = FROM_SETTINGS
    connection_init_wait_timeout: Any = FROM_SETTINGS
    # Seconds after which a query or mutation is worth a line in the log. The library's 1 would
    # give a line for each slow report; who wants it sets it.
    warn_operation_timeout: float | None = None

    # What the client is told where the application refuses it.
    _refusal: str | None = None

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        """Raise TypeError where the class lacks its schema, or sets what has no effect."""
        super().__init_subclass__(**kwargs)
        check_definition(cls, LiveConsumer, abstract=abstract)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Not the library's own: the registries and locks it makes are half of what a socket
        # would weigh, and nothing here looks at them.
        AsyncWebsocketConsumer.__init__(self)
        if self.send_ping_every is FROM_SETTINGS:
            self.send_ping_every = conf.SEND_PING_EVERY
        if self.connection_init_wait_timeout is FROM_SETTINGS:
            self.connection_init_wait_timeout = conf.CONNECTION_INIT_WAIT_TIMEOUT
        self.operations: dict[str, Operation] = {}
        self.closed = False
        self.quota = Quota()
        self._tasks: set[asyncio.Task[None]] = set()
        self._executing = 0
        self._initialising: asyncio.Task[None] | None = None
        self.rights = Rights(self)
        self._messages = TokenBucket(conf.MESSAGES_PER_SECOND, conf.MESSAGES_AT_ONCE)
        # The library's manager would run sync resolvers on the event loop.
        self.middleware_manager = type(self)._manager()

    @classmethod
    def _manager(cls) -> WorkerThreads:
        """Return the middleware of all sockets of this class: it caches wrapped resolvers."""
        if "_shared_manager" not in cls.__dict__:
            given = cls.middleware or ()
            functions = given.middlewares if isinstance(given, MiddlewareManager) else given
            cls._shared_manager = WorkerThreads(*functions)
        return cls._shared_manager

    # ---- ASGI

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle the socket's events, one after the other.

        Overridden because Channels gives each socket a channel of its own and two tasks
        that wait on it; here the hub hears for all.
        """
        self.scope, self.base_send = scope, send
        self.channel_layer = get_channel_layer()
        # No channel of the layer: a name by which `broadcast` can leave this socket out.
        self.channel_name = f"live.{secrets.token_urlsafe(12)}"
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            await self._end()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle one event; overridden as Channels' enters a thread for each."""
        handlers = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }
        await handlers[message["type"]](message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """The socket is gone."""
        await self.disconnect(message.get("code") or 1005)
        raise StopConsumer()

    async def connect(self) -> None:
        """Accept the socket with the newest subprotocol it offers, or refuse it."""
        offered = [_text(name) for name in self.scope.get("subprotocols", ())]
        chosen = next((name for name in protocol.SUBPROTOCOLS if name in offered), None)
        if chosen is None:
            code = int(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE)
            await self.base_send({"type": "websocket.close", "code": code})
            return
        self._graphql_ws_subprotocol = chosen
        self.protocol = protocol.Connection(chosen)
        self.scope["language"] = language_of(self.scope["headers"])
        self.client = client_of(self.scope)
        if not self.client.asks():
            await self._keep_out()
            return
        self.send_queue = self._new_send_queue()
        self.hub = Hub.current()
        await self.accept(subprotocol=chosen)
        self.heartbeat = Heartbeat(self)
        self.hub.enter(self)
        self._look_again_if_later(self.scope.get("looked_at", rights_cache.generation()))

    async def _keep_out(self) -> None:
        """Refuse a client that asked for too much, and take time over it."""
        metrics.limits.labels(limit="requests_of_client").inc()
        await asyncio.sleep(RELUCTANCE_SECONDS)
        await self.base_send({"type": "websocket.close", "code": int(CloseCode.TOO_MANY_REQUESTS)})

    def _new_send_queue(self) -> SendQueue:
        extension = (self.scope.get("extensions") or {}).get(FRAME_EXTENSION, {})
        return SendQueue(
            waiting(self.base_send),
            conf.OUTBOX_SIZE,
            conf.NOTIFICATIONS_IN_OUTBOX,
            on_overflow=self.too_slow,
            on_broken=self._broken,
            write=extension.get("write"),
        )

    async def disconnect(self, code: int) -> None:
        """Say in the log how the socket ended."""
        logger.debug("A socket closed with code %s", code)

    async def _end(self) -> None:
        """End everything that belongs to the socket, however it ended. Idempotent."""
        self.closed = True
        if not hasattr(self, "hub"):
            return
        self.send_queue.close()
        for operation in list(self.operations.values()):
            operation.stop()
        self.rights.stop()
        self.quota.belongs_to(None)
        await self.hub.leave(self)

    # ---- what comes in

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Handle one frame; nothing in it can raise out of here."""
        if self.closed:
            return
        self.heartbeat.heard()
        try:
            await self._receive(text_data)
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Close the socket, of which something failed that its client cannot be told."""
        self.close_with(Close(CloseCode.INTERNAL_ERROR, "Internal server error"), cause=error)

    async def _receive(self, text: str | None) -> None:
        if text is not None and is_longer(text, conf.MAX_MESSAGE_BYTES):
            metrics.limits.labels(limit="message_bytes").inc()
            self.close_with(Close(CloseCode.MESSAGE_TOO_BIG, "Message is too big"))
            return
        if not self._messages.take():
            metrics.limits.labels(limit="messages_per_second").inc()
            self.close_with(Close(CloseCode.TOO_MANY_REQUESTS, "Too many messages"))
            return
        match self.protocol.receive(text):
            case Close() as close:
                self.close_with(close)
            case Reply(message):
                self.send_message(message)
            case Start() if not self.client.asks():
                metrics.limits.labels(limit="requests_of_client").inc()
                self.close_with(Close(CloseCode.TOO_MANY_REQUESTS, "Too many requests"))
            case Initialise(payload):
                self._initialising = self.spawn(self._initialise(payload))
                await self._in_order(self._initialising)
            case Start(id, payload):
                await self._start(id, payload)
            case Stop(id, reply):
                self._stop(id, reply)

    async def _in_order(self, task: "asyncio.Task[None]") -> None:
        """Let `task` go on beside the socket, or end before the next message if that is asked."""
        if self.strict_ordering:
            await task

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start work that goes on to its end, also without the socket."""
        task = asyncio.get_running_loop().create_task(work)
        for holder in (self._tasks, _unfinished):
            holder.add(task)
            task.add_done_callback(holder.discard)
        return task

    async def _initialise(self, payload: dict[str, Any]) -> None:
        try:
            await self._admit(payload)
        except Exception as error:
            message, close = self.protocol.reject(self._refusal)
            if message is not None:
                self.send_message(message)
            self.close_with(close, cause=error)
            return
        acknowledgement = {"server": "Wardcast", "version": VERSION, "ping": self.send_ping_every}
        self.send_message(self.protocol.acknowledge(acknowledgement))
        self.heartbeat.initialised()

    async def _admit(self, payload: dict[str, Any]) -> None:
        looked_at = rights_cache.generation()
        await identify.take_bearer(self.scope, payload)
        self._look_again_if_later(looked_at)
        try:
            await self.on_connect(payload)
        except LiveError as error:
            # Our own errors are written for the client; what else goes wrong is not told.
            self._refusal = str(error.message)
            raise
        self.belong()
        self.quota.check_sockets()
        if payload.get("confirmSubscriptions") is True:
            self.confirm_subscriptions = True

    def _look_again_if_later(self, looked_at: int) -> None:
        # Nobody was behind the socket yet for whom the hub could have told of a change.
        if looked_at != rights_cache.generation():
            self.rights_changed(None)

    def belong(self) -> None:
        """Count the socket, and what it asks for, for whoever is behind it now."""
        self.quota.belongs_to(identify.user_id(self.scope))
        self.client = client_of(self.scope)

    async def _start(self, id: str, payload: dict[str, Any]) -> None:
        operation = self.operations[id] = Operation(self, id)
        # Those that are being opened go beyond it: a client comes back with all at once.
        if len(self._tasks) >= conf.MAX_OPERATIONS_PER_SOCKET + conf.MAX_SUBSCRIPTIONS_PER_SOCKET:
            operation.fail([TooManyOperations(limit="operations_per_socket")])
            return
        await self._in_order(self.spawn(self._run(operation, payload)))

    async def _run(self, operation: Operation, payload: dict[str, Any]) -> None:
        """Run an operation once the client is admitted; nothing runs for one that is not."""
        if self._initialising and not self._initialising.done():
            await asyncio.wait([self._initialising])
        await self.rights.settled()
        if self.protocol.state is protocol.State.ACKNOWLEDGED and not operation.ended:
            await operation.run(payload)

    @contextmanager
    def executing(self) -> Iterator[None]:
        """Count a query or mutation while it runs; raise TooManyOperations for one too many."""
        if self._executing >= conf.MAX_OPERATIONS_PER_SOCKET:
            raise TooManyOperations(limit="operations_per_socket")
        self._executing += 1
        try:
            yield
        finally:
            self._executing -= 1

    def _stop(self, id: str, reply: dict[str, Any] | None) -> None:
        operation = self.operations.get(id)
        if operation:
            operation.stop()
        if reply:
            self.send_message(reply)

    def operation_ended(self, operation: Operation) -> None:
        """Free the operation's id."""
        self.heartbeat.active()
        self.operations.pop(operation.id, None)
        self.protocol.finish(operation.id)

    # ---- what goes out

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a protocol message; must not wait."""
        self.send_queue.put(encode(message))

    def close_with(self, close: Close, cause: Exception | None = None) -> None:
        """Close the socket, after what was sent before."""
        if not self.closed:
            self.closed = True
            metrics.closes.labels(code=int(close.code)).inc()
            # Of a cause only its type: its text may quote the client, or a patient.
            why = f"{close.reason} ({type(cause).__name__})" if cause else close.reason
            level = logging.ERROR if close.code is CloseCode.INTERNAL_ERROR else logging.DEBUG
            logger.log(level, "Closing a socket with %d: %s", close.code, why)
            self.spawn(self._close(close))

    async def _close(self, close: Close) -> None:
        # A client that does not read would hold up what is before the close: no waiting
        # for it beyond a moment.
        try:
            async with asyncio.timeout(1):
                await self.send_queue.flushed()
        except TimeoutError:
            pass
        self.send_queue.close()
        for operation in list(self.operations.values()):
            operation.stop()
        try:
            await self.close(code=int(close.code), reason=close.reason)
        except Exception as error:
            logger.debug("The socket was gone before its close: %s", type(error).__name__)

    def _broken(self) -> None:
        self.closed = True

    def too_slow(self) -> None:
        """Close the socket because its client takes nothing, and too much waits for it."""
        self.close_with(Close(CloseCode.TOO_SLOW, "The client does not read"))

    # ---- what the hub tells

    def events_lost(self) -> None:
        """Close the socket if it watches: events are gone that it was to get."""
        if self.quota.subscriptions:
            # What comes after the gap would have the client believe that there was none.
            self.suspend_all()
            self.close_with(Close(CloseCode.EVENTS_LOST, "Events were lost"))
        else:
            # Changes of rights may be gone, too.
            self.rights_changed(None)

    def kicked(self, user_ids: frozenset[int]) -> None:
        """Close the socket if it is one of these users'."""
        if identify.user_id(self.scope) in user_ids:
            self.suspend_all()
            self.close_with(Close(CloseCode.FORBIDDEN, "Ended by an administrator"))

    def rights_changed(self, user_ids: frozenset[int] | None) -> None:
        """Withhold what comes until it is known what the user may see now."""
        self.rights.changed(user_ids)

    def suspend_all(self) -> None:
        """Deliver nothing until the operations are authorized again."""
        for operation in self.operations.values():
            if operation.member is not None:
                self.hub.suspend(operation.member)

    # ---- the library's own ways, which the hub replaces

    # Its formatter sends the text of any exception to the client.
    _format_error = staticmethod(format_error)


def _text(name: str | bytes) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else name
