"""One client's socket: the only subclass of the library's consumer.

Whatever is overridden here under a name that starts with an underscore is private to
django-channels-graphql-ws 1.0.0rc7; each has its reason beside it, and
tests/live/test_library.py fails when the library changes any of them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import channels_graphql_ws
import graphql
from channels_graphql_ws.serializer import Serializer
from graphql import ExecutionResult, GraphQLResolveInfo

from live.conf import conf
from live.context import Context
from live.errors import BadInput, format_error
from live.execution import Document, Request, is_subscription, prepare, run
from live.language import language_of
from live.threads import WorkerThreads, in_worker_thread

logger = logging.getLogger(__name__)

TRANSPORT_WS = "graphql-transport-ws"


class LiveConsumer(channels_graphql_ws.GraphqlWsConsumer):
    """A socket that serves `schema`, which a subclass sets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.send_ping_every = conf.SEND_PING_EVERY
        self.connection_init_wait_timeout = conf.CONNECTION_INIT_WAIT_TIMEOUT
        super().__init__(*args, **kwargs)
        # The library's manager would run sync resolvers on the event loop.
        self._middleware = WorkerThreads(*(self.middleware or ()))
        # The library holds its background tasks weakly, so that one may vanish half-way.
        self._background_tasks = set()

    async def connect(self) -> None:
        """Accept the socket with one of the two subprotocols, or refuse it."""
        self.scope["language"] = language_of(self.scope["headers"])
        if not {TRANSPORT_WS, "graphql-ws"} & set(self.scope["subprotocols"]):
            await self.close(4406)
            return
        await super().connect()

    async def disconnect(self, code: int) -> None:
        """End the socket, and its subscriptions: the library forgets to call `unsubscribed`."""
        ended = list(self._subscriptions.values())
        await super().disconnect(code)
        for subscription in ended:
            await subscription.unsubscribed_callback()

    async def _on_gql_connection_init(self, payload: Any) -> None:
        """Let a client ask for confirmations: the library has them for all sockets or none."""
        if isinstance(payload, dict) and payload.get("confirmSubscriptions") is True:
            self.confirm_subscriptions = True
        await super()._on_gql_connection_init(payload)

    # ---- operations

    async def _on_gql_subscribe(self, op_id: Any, payload: Any) -> None:
        """Run an operation.

        Overridden because the library's gives resolvers a context without the connection's
        user, skips all middleware for an operation that calls itself IntrospectionQuery, and
        caches parsed documents by the consumer, which keeps closed ones alive.
        """
        if op_id in self._subscriptions:
            await self._refuse_duplicate(op_id)
            return
        request = Request.from_payload(payload)
        document = await prepare(self.schema, request.query)
        if document.errors:
            await self._send_gql_error(op_id, document.errors)
        elif is_subscription(document.operation(request.operation_name)):
            await self._subscribe(op_id, document, request)
        else:
            context = self._context(op_id, request)
            result = await run(self.schema, document, request, context, self._middleware)
            await self._send_result(op_id, result)

    async def _refuse_duplicate(self, op_id: Any) -> None:
        if self._graphql_ws_subprotocol == TRANSPORT_WS:
            await self.close(4409)
        else:
            await self._send_gql_error(op_id, [BadInput("This id is already running.")])

    def _context(self, op_id: Any, request: Request) -> Context:
        return Context(
            self.scope,
            {
                "channels_scope": self.scope,
                "channel_name": self.channel_name,
                "graphql_operation_id": op_id,
                "graphql_operation_name": request.operation_name,
            },
        )

    async def _send_result(self, op_id: Any, result: ExecutionResult) -> None:
        await self._send_gql_next(op_id, result.data, result.errors)
        await self._send_gql_complete(op_id)

    # ---- subscriptions

    async def _subscribe(self, op_id: Any, document: Document, request: Request) -> None:
        async def open_stream(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            return await self._open_stream(op_id, root, info, arguments)

        stream = await self._on_gql_subscribe__create_subscription(
            document.ast,
            operation_name=request.operation_name,
            variable_values=request.variables,
            context_value=self._context(op_id, request),
            subscribe_field_resolver=open_stream,
            middleware=self._middleware,
        )
        if isinstance(stream, ExecutionResult):
            await self._send_result(op_id, stream)
            return
        if self.confirm_subscriptions:
            confirmation = self.subscription_confirmation_message
            await self._send_gql_next(op_id, confirmation["data"], confirmation["errors"])
        self._notifier_tasks[op_id] = asyncio.create_task(self._forward(op_id, stream))

    async def _open_stream(
        self, op_id: Any, root: Any, info: GraphQLResolveInfo, arguments: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """Join the groups, then return the stream of payloads.

        The library does both in one generator, which joins when it is first read: errors of
        `subscribe` come late, and its confirmation is sent before anything is joined.
        """
        meta = graphql.get_named_type(info.return_type).graphene_type._meta
        names = await meta.subscribe(root, info, **arguments) if meta.subscribe else None
        groups = [meta.output._group_name(name) for name in (None, *(names or ()))]
        queue: asyncio.Queue[bytes] = asyncio.Queue(conf.NOTIFICATION_QUEUE_LIMIT)

        async def unsubscribed() -> None:
            if meta.unsubscribed:
                await meta.unsubscribed(None, info, **arguments)

        self._subscriptions[op_id] = self._SubInf(
            sid=op_id,
            groups=groups,
            enqueue_notification=queue.put_nowait,
            unsubscribed_callback=unsubscribed,
        )
        await self._join(op_id, groups)
        return self._payloads(queue)

    async def _join(self, op_id: Any, groups: Iterable[str]) -> None:
        for group in groups:
            self._sids_by_group.setdefault(group, []).append(op_id)
            await self._channel_layer.group_add(group, self.channel_name)

    async def _payloads(self, queue: "asyncio.Queue[bytes]") -> AsyncIterator[Any]:
        while True:
            yield await in_worker_thread(Serializer.deserialize)(await queue.get())

    async def _forward(self, op_id: Any, stream: AsyncIterator[ExecutionResult]) -> None:
        async for notification in stream:
            # `publish` returned None: there is nothing to tell this client.
            if notification.data or notification.errors:
                await self._send_gql_next(op_id, notification.data, notification.errors)

    # ---- errors

    # The library sends, and logs, the text of any exception; it may quote a patient.
    _format_error: Callable[[Exception], Any] = staticmethod(format_error)

    async def _send_gql_next(
        self, op_id: Any, data: dict[str, Any] | None, errors: Iterable[Exception] | None
    ) -> None:
        """Send a result; overridden since the library's logs every error with its text."""
        payload: dict[str, Any] = {"data": data}
        if errors:
            payload["errors"] = [self._format_error(error) for error in errors]
        kind = "next" if self._graphql_ws_subprotocol == TRANSPORT_WS else "data"
        await self.send_json({"type": kind, "id": op_id, "payload": payload})

    async def _send_gql_error(self, op_id: Any, errors: Iterable[Exception]) -> None:
        """Refuse an operation; overridden since the library's logs every error with its text."""
        formatted = [self._format_error(error) for error in errors]
        payload: Any = formatted
        if self._graphql_ws_subprotocol != TRANSPORT_WS:
            payload = {"errors": formatted}
        await self.send_json({"type": "error", "id": op_id, "payload": payload})
