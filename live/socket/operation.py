"""One operation of one socket, from its request to its end."""

import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

import graphene
from channels_graphql_ws import GraphqlWsConsumer
from django.utils import translation
from graphql import ExecutionResult, MiddlewareManager

from live.context import Context
from live.errors import LiveError, format_error, is_unavailable
from live.execution.execution import (
    Document,
    Request,
    is_subscription,
    of_one_operation,
    prepare,
    run,
)
from live.execution.introspection import told_to
from live.execution.response import Body, response
from live.execution.selection import root_fields
from live.fanout.hub import Hub
from live.fanout.member import Member
from live.identity.rate_limits import Client
from live.socket.quota import Quota
from live.socket.replies import Replies
from live.socket.rights import Rights
from live.socket.subscribing import (
    OpenSubscription,
    cohort_of,
    open_subscription,
    size_of,
    without_junk,
)

logger = logging.getLogger(__name__)


class Application(Protocol):
    """The application's settings and hooks for operations."""

    schema: graphene.Schema
    middleware_manager: MiddlewareManager
    confirm_subscriptions: bool
    subscription_confirmation_message: dict[str, Any]
    warn_operation_timeout: float | None

    async def on_operation(self, op_id: str, payload: dict[str, Any]) -> None:
        """Hear of an operation before it runs; raise to refuse it."""


class Host(Protocol):
    """What an operation needs of its socket."""

    scope: dict[str, Any]
    channel_name: str
    client: Client
    hub: Hub
    quota: Quota
    rights: Rights

    @property
    def application(self) -> Application:
        """The application's settings and hooks for operations."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> Any:
        """Start work that goes on to its end, also without the socket."""

    def operation_ended(self, operation: "Operation") -> None:
        """Free the operation's id."""


class Operation:
    """Runs a request; after its end nothing is sent for its id.

    The end may come from four sides: it is done, the client completes it, the application
    ends it, the socket is gone. Whichever is first sets `ended`; who comes later finds it set.
    """

    __slots__ = (
        "_document",
        "_host",
        "_kept",
        "_opened",
        "_replies",
        "_request",
        "ended",
        "id",
        "member",
    )

    def __init__(self, host: Host, id: str, replies: Replies) -> None:
        self._host, self.id, self._replies = host, id, replies
        self.ended = False
        self._kept: int | None = None  # bytes that the quota counts, of a subscription
        self.member: Member | None = None
        self._opened: OpenSubscription | None = None

    # ---- running

    async def run(self, payload: dict[str, Any]) -> None:
        """Run the request in `payload`; the client gets every error, masked."""
        # For this task and the threads it uses; over HTTP, Django's middleware does it.
        translation.activate(self._host.scope["language"])
        try:
            async with of_one_operation(self._host.client):
                await self._run(payload)
        except Exception as error:
            self.fail([error])

    async def _run(self, payload: dict[str, Any]) -> None:
        await self._host.rights.settled()
        if self.ended:
            return
        await self._host.application.on_operation(self.id, payload)
        request = Request.from_payload(payload)
        schema = self._host.application.schema
        document = await prepare(schema, request.query, self._host.client)
        # Meanwhile rights may have changed, or the client may have completed it.
        await self._host.rights.settled()
        if self.ended:
            return
        if document.errors:
            self.fail(told_to(self._host.scope.get("user"), document.errors))
            return
        operation = document.operation(request.operation_name)
        if is_subscription(operation):
            await self._subscribe(document, request)
            return
        # By aliases one message may ask for fifty: searches, or mutations.
        asked = (schema.graphql_schema, document.valid_ast, operation, request.variables)
        self._host.client.charge_requests(root_fields(*asked) - 1)
        await self._execute(document, request)

    async def _execute(self, document: Document, request: Request) -> None:
        began = time.monotonic()
        with self._host.quota.executing():
            await self._execute_counted(document, request)
        self._warn_of_slowness(time.monotonic() - began)

    def _warn_of_slowness(self, seconds: float) -> None:
        most = self._host.application.warn_operation_timeout
        if most is not None and seconds >= most:
            # Not its name, which is the client's text.
            logger.warning("An operation took %.1f s", seconds)

    async def _execute_counted(self, document: Document, request: Request) -> None:
        application, scope = self._host.application, self._host.scope
        user = scope.get("user")
        context = self._context(request)
        try:
            manager = application.middleware_manager
            result = await run(application.schema, document, request, context, manager)
            self._send_result(result)
        finally:
            if scope.get("user") is not user:
                self._host.rights.user_changed(user)

    def _context(self, request: Request) -> Context:
        scope, channel = self._host.scope, self._host.channel_name
        return Context.of_operation(
            scope, request.operation_name, id=self.id, scope=scope, channel_name=channel
        )

    # ---- subscribing

    async def _subscribe(self, document: Document, request: Request) -> None:
        request = without_junk(document, request)
        kept = size_of(self.id, request)
        self._host.quota.started(kept)
        self._kept = kept
        context = self._context(request)
        looks = self._host.rights.looks
        schema = self._host.application.schema
        opened = await open_subscription(schema, document, request, context)
        if isinstance(opened, ExecutionResult):
            self._send_result(opened)
            return
        self._opened = opened
        self._document, self._request = document, request
        since = None
        if not self.ended:
            await self._host.hub.listening()
            if opened.after is not None:
                since = await self._host.hub.find(opened.after)
        while looks != self._host.rights.looks and not self.ended:
            # Rights changed meanwhile, and there was no member yet to suspend.
            looks = self._host.rights.looks
            await self._host.rights.settled()
            await opened.authorize()
        if self.ended:
            await self._tell_unsubscribed()
        else:
            self._join(since)

    def _join(self, since: int | None) -> None:
        opened = self._opened
        assert opened is not None, "the subscription is open"
        key, cohort_run = self._cohort()
        self._replies.expect_notifications(opened.limit)
        source = self._host.hub.source(opened.subscription_class.durable)
        place = source.position if since is None else since
        self.member = Member(self, frozenset(opened.groups), source, place, opened.limit)
        if self._host.application.confirm_subscriptions:
            given = self._host.application.subscription_confirmation_message
            self._replies.result(_confirmation(given))
        self._host.hub.join(self.member, key, cohort_run)

    def _cohort(self) -> Any:
        assert self._opened is not None, "the subscription is open"
        application = self._host.application
        return cohort_of(
            application.schema,
            self._document,
            self._request,
            self._opened,
            application.middleware_manager,
        )

    async def reauthorize(self) -> None:
        """Go on, or end, as the client's present rights have it (see Hub.suspend).

        Raises the database's errors where it is away: that says nothing of the rights.
        """
        if self.member is None or self._opened is None:
            return
        try:
            await self._opened.authorize()
            if not self.ended:
                self._host.hub.readmit(self.member, *self._cohort())
        except Exception as error:
            if is_unavailable(error):
                raise
            self.fail([error])

    # ---- Receiver: what the hub calls

    @property
    def channel_name(self) -> str:
        """The socket's name, as `info.context.channel_name` has it."""
        return self._host.channel_name

    def deliver(self, body: Body) -> bool:
        """Send a notification's JSON; return False where the queue to the client is full."""
        return self._replies.notify(body)

    async def room(self) -> None:
        """Return when the queue to the client has room again."""
        await self._replies.room()

    def ended_by_server(self) -> None:
        """Complete the subscription because the application ended it."""
        self._finish(self._replies.complete)

    # ---- ending

    def fail(self, errors: Iterable[Exception]) -> None:
        """End with errors: the operation did not run, or cannot continue."""
        # Also where the client is gone: an error of ours must be in the log.
        formatted = [format_error(error) for error in errors]
        self._finish(lambda: self._replies.refuse(formatted))

    def stop(self) -> None:
        """End without a message: the client completed it, or is gone."""
        self._finish(None)

    def _send_result(self, result: ExecutionResult) -> None:
        payload = response(result.data, result.errors)
        if not self.ended:
            self._replies.result(payload)
        self._finish(self._replies.complete)

    def _finish(self, tell: Callable[[], None] | None) -> None:
        if self.ended:
            return
        self.ended = True
        self._host.operation_ended(self)
        if self._kept is not None:
            self._host.quota.ended(self._kept)
        if tell is not None:
            tell()
        if self.member is not None:
            self._host.hub.part(self.member)
        if self._opened is not None:
            self._host.spawn(self._tell_unsubscribed())

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
    # These errors are raised for clients on purpose: they have the library's form.
    tell = GraphqlWsConsumer._format_error
    errors = [tell(e) if isinstance(e, Exception) else e for e in given.get("errors") or ()]
    return response(given.get("data"), errors)
