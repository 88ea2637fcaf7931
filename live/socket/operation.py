"""One operation of one socket, from its request to its end."""

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from channels_graphql_ws import GraphqlWsConsumer
from django.db import InterfaceError, OperationalError
from django.utils import translation
from graphql import ExecutionResult

from live.context import Context
from live.errors import LiveError, format_error
from live.execution.execution import Document, Request, is_subscription, prepare, run
from live.execution.response import Body, response
from live.fanout.cohort import Member
from live.socket.subscribing import Opened, open_subscription, sharing

if TYPE_CHECKING:
    from live.socket.consumer import LiveConsumer

logger = logging.getLogger(__name__)


class Operation:
    """Runs a request; after its end nothing is sent for its id.

    The end may come from four sides: it is done, the client completes it, the application
    ends it, the socket is gone. Whichever is first sets `ended`; who comes later finds it set.
    """

    __slots__ = (
        "_delivery",
        "_document",
        "_is_counted",
        "_opened",
        "_request",
        "ended",
        "id",
        "member",
        "socket",
    )

    def __init__(self, socket: "LiveConsumer", id: str) -> None:
        self.socket, self.id = socket, id
        self.ended = self._is_counted = False
        self.member: Member | None = None
        self._opened: Opened | None = None

    # ---- running

    async def run(self, payload: dict[str, Any]) -> None:
        """Run the request in `payload`; whatever goes wrong is told to the client, masked."""
        # For this task and the threads it uses; over HTTP, Django's middleware does it.
        translation.activate(self.socket.scope["language"])
        try:
            await self.socket.on_operation(self.id, payload)
            request = Request.from_payload(payload)
            document = await prepare(self.socket.schema, request.query, self.socket.client)
            # Both take their time: rights may have changed, or the client lost interest.
            await self.socket.rights.settled()
            if self.ended:
                return
            if document.errors:
                self.fail(document.errors)
                return
            if is_subscription(document.operation(request.operation_name)):
                await self._subscribe(document, request)
            else:
                await self._execute(document, request)
        except Exception as error:
            self.fail([error])

    async def _execute(self, document: Document, request: Request) -> None:
        began = time.monotonic()
        with self.socket.executing():
            await self._execute_counted(document, request)
        self._warn_of_slowness(time.monotonic() - began)

    def _warn_of_slowness(self, seconds: float) -> None:
        most = self.socket.warn_operation_timeout
        if most is not None and seconds >= most:
            # Not its name, which is the client's text.
            logger.warning("An operation took %.1f s", seconds)

    async def _execute_counted(self, document: Document, request: Request) -> None:
        scope = self.socket.scope
        user = scope.get("user")
        context = self._context(request)
        manager = self.socket.middleware_manager
        try:
            result = await run(self.socket.schema, document, request, context, manager)
            self._send_result(result)
        finally:
            if scope.get("user") is not user:
                self.socket.rights.user_changed(user)

    def _context(self, request: Request) -> Context:
        scope, channel = self.socket.scope, self.socket.channel_name
        return Context.of_operation(
            scope, request.operation_name, id=self.id, scope=scope, channel_name=channel
        )

    # ---- subscribing

    async def _subscribe(self, document: Document, request: Request) -> None:
        self.socket.quota.started()
        self._is_counted = True
        context = self._context(request)
        looks = self.socket.rights.looks
        opened = await open_subscription(self.socket.schema, document, request, context)
        if isinstance(opened, ExecutionResult):
            self._send_result(opened)
            return
        self._opened = opened
        self._document, self._request = document, request
        since = None
        if not self.ended:
            await self.socket.hub.listening()
            if opened.after is not None:
                since = await self.socket.hub.find(opened.after)
        while looks != self.socket.rights.looks and not self.ended:
            # Rights changed meanwhile, and this was no member yet that could be suspended.
            looks = self.socket.rights.looks
            await self.socket.rights.settled()
            await opened.authorize()
        if self.ended:
            await self._tell_unsubscribed()
        else:
            self._join(since)

    def _join(self, since: int | None) -> None:
        opened = self._opened
        assert opened is not None, "the subscription is open"
        key, cohort_run = self._sharing()
        newest = (self.id, opened.limit) if opened.limit else None
        self._delivery = (self.socket.protocol.next_prefix(self.id), newest)
        source = self.socket.hub.source(opened.subscription_class.durable)
        place = source.position if since is None else since
        self.member = Member(self, frozenset(opened.groups), source, place, opened.limit)
        if self.socket.confirm_subscriptions:
            confirmation = _confirmation(self.socket.subscription_confirmation_message)
            self.socket.send_message(self.socket.protocol.next(self.id, confirmation))
        self.socket.hub.join(self.member, key, cohort_run)

    def _sharing(self) -> Any:
        assert self._opened is not None, "the subscription is open"
        socket = self.socket
        return sharing(
            socket.schema, self._document, self._request, self._opened, socket.middleware_manager
        )

    async def reauthorize(self) -> None:
        """Go on, or end, as the client's present rights have it (see Hub.suspend).

        Raises the database's errors where it is away: that says nothing of the rights.
        """
        if self.member is None or self._opened is None or self.socket.closed:
            return
        try:
            await self._opened.authorize()
            if not self.ended:
                self.socket.hub.readmit(self.member, *self._sharing())
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            self.fail([error])

    # ---- Receiver: what the hub calls

    @property
    def channel_name(self) -> str:
        """The socket's name, as `info.context.channel_name` has it."""
        return self.socket.channel_name

    def deliver(self, body: Body) -> bool:
        """Send a notification's JSON; False: the client does not take it just now."""
        prefix, newest = self._delivery
        return self.socket.send_queue.put_shared(prefix, body, newest=newest)

    async def room(self) -> None:
        """Return when the client has taken some of what waits for it."""
        await self.socket.send_queue.room()

    def ended_by_server(self) -> None:
        """Complete the subscription because the application ended it."""
        self._finish(self.socket.protocol.complete(self.id))

    # ---- ending

    def fail(self, errors: Iterable[Exception]) -> None:
        """End with errors, as an operation that was not run, or not run on."""
        formatted = [format_error(error) for error in errors]
        self._finish(self.socket.protocol.error(self.id, formatted))

    def stop(self) -> None:
        """End without a word: the client completed it, or is gone."""
        self._finish(None)

    def _send_result(self, result: ExecutionResult) -> None:
        payload = response(result.data, result.errors)
        if not self.ended:
            self.socket.send_message(self.socket.protocol.next(self.id, payload))
        self._finish(self.socket.protocol.complete(self.id))

    def _finish(self, message: dict[str, Any] | None) -> None:
        if self.ended:
            return
        self.ended = True
        self.socket.operation_ended(self)
        if self._is_counted:
            self.socket.quota.ended()
        if message is not None:
            self.socket.send_message(message)
        if self.member is not None:
            self.socket.hub.part(self.member)
        if self._opened is not None:
            self.socket.spawn(self._tell_unsubscribed())

    async def _tell_unsubscribed(self) -> None:
        opened, self._opened = self._opened, None
        if opened is None:
            return
        try:
            await opened.unsubscribed()
        except Exception as error:
            what = error.code if isinstance(error, LiveError) else type(error).__name__
            logger.error("%s.unsubscribed: %s", opened.subscription_class.__name__, what)


def _confirmation(given: dict[str, Any]) -> dict[str, Any]:
    # Its errors are written for clients, not met: they are told as the library tells them.
    tell = GraphqlWsConsumer._format_error
    errors = [tell(e) if isinstance(e, Exception) else e for e in given.get("errors") or ()]
    return response(given.get("data"), errors)
