"""One client's socket: the only subclass of the library's consumer.

The library's public interface stays as its README has it: `schema`, `on_connect`,
`on_operation`, `middleware`, `send_ping_every`, `connection_init_wait_timeout`,
`strict_ordering`, `confirm_subscriptions`. What it does inside is replaced; every override
of a private name of it is here, and tests/live/test_library.py fails when it changes one.
"""

import asyncio
import logging
import secrets
from typing import Any, cast

import channels_graphql_ws
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from graphql import MiddlewareManager

from live import metrics
from live.concurrency.usage import Usage
from live.conf import conf
from live.errors import format_error
from live.execution.resolvers import WorkerThreads
from live.fanout.hub import Hub
from live.identity.identify import user_id
from live.identity.rate_limits import address_of, client_of
from live.socket import close_codes
from live.socket.close_codes import Close
from live.socket.definition import FROM_SETTINGS, check_definition
from live.socket.intake import turn_of
from live.socket.language import language_of
from live.socket.protocol import Connection, choose_subprotocol
from live.socket.quota import is_crowded
from live.socket.session import Application, Session

logger = logging.getLogger(__name__)

# What a handshake takes of the processor, about: most of it before its client is known.
HANDSHAKE_SECONDS = 0.002
# Seconds that a client waits for the refusal of its socket: one that was thrown out, and comes
# back at once, would cost a handshake each time. Not a setting: nobody would want another.
REFUSAL_SECONDS = 2


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
        self._session: Session | None = None
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
                if self._session is not None:
                    await self._session.ready()
        except StopConsumer:
            pass
        finally:
            if self._session is not None:
                await self._session.end()

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
        chosen = choose_subprotocol(self.scope.get("subprotocols", ()))
        if chosen is None:
            await self._refuse(close_codes.SUBPROTOCOL)
            return
        self.scope["language"] = language_of(self.scope["headers"])
        client = client_of(self.scope)
        if not client.allow_request():
            metrics.limits.labels(limit="requests_of_client").inc()
            await asyncio.sleep(REFUSAL_SECONDS)
            await self._refuse(close_codes.TOO_MANY_REQUESTS)
            return
        if user_id(self.scope) is None and is_crowded(address_of(self.scope)):
            metrics.limits.labels(limit="anonymous_sockets").inc()
            await self._refuse(close_codes.TOO_MANY_REQUESTS)
            return
        await self._turn(client.shares.usage)
        self._graphql_ws_subprotocol = chosen
        application, protocol = cast(Application, self), Connection(chosen)
        ways_out = (self.base_send, self.close)
        self._session = Session(
            application, self.scope, self.channel_name, protocol, client, *ways_out
        )
        await self.accept(subprotocol=chosen)
        self._session.begin()

    async def _turn(self, usage: Usage) -> None:
        """Return when the socket may be accepted; who comes again and again waits for others."""
        usage.charge(HANDSHAKE_SECONDS)
        await turn_of(usage, Hub.current().scheduler)

    async def _refuse(self, close: Close) -> None:
        """Refuse the socket at its handshake, where no reason can be sent."""
        await self.base_send({"type": "websocket.close", "code": int(close.code)})

    async def disconnect(self, code: int) -> None:
        """Say in the log how the socket ended."""
        logger.debug("A socket closed with code %s", code)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Handle one frame."""
        if self._session is not None:
            await self._session.receive(text_data)

    # ---- what the library has, and the hub replaces

    # Its formatter sends the text of any exception to the client.
    _format_error = staticmethod(format_error)
