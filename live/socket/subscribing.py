"""From a subscription operation to what has to be registered with the hub."""

import dataclasses
import functools
import json
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass
from typing import Any, cast

import graphene
from graphql import (
    ArgumentNode,
    ExecutionResult,
    GraphQLResolveInfo,
    MiddlewareManager,
    VariableNode,
    Visitor,
    create_source_event_stream,
    execute,
    get_named_type,
    visit,
)

from live.context import Context, SharedContext
from live.errors import BadInput
from live.execution.execution import Document, Request
from live.execution.repeated_execution import Repeated
from live.fanout.cohort import Outcome, Recall, Run
from live.log.events import Event
from live.socket.intake import weight


@dataclass(eq=False, slots=True)
class OpenSubscription:
    """A subscription that its `subscribe` hook has accepted."""

    subscription_class: Any
    info: GraphQLResolveInfo
    arguments: dict[str, Any]
    groups: list[str]
    after: str | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        # graphql-core wants a stream from the subscribe resolver; the hub has ours.
        raise TypeError("events come through the hub")

    @property
    def limit(self) -> int | None:
        """The subscription's own `notification_queue_limit`, None without one (or below 1)."""
        limit: int | None = self.subscription_class.notification_queue_limit
        return limit if limit and limit > 0 else None

    async def authorize(self) -> None:
        """Call the class's `authorize`, and keep its answer; raise what it raises."""
        if self.subscription_class._authorize:
            answer = await self.subscription_class._authorize(None, self.info, **self.arguments)
            self.info.context.authorized = answer

    async def unsubscribed(self) -> None:
        """Tell the class that the subscription has ended."""
        hook = self.subscription_class._meta.unsubscribed
        if hook:
            await hook(None, self.info, **self.arguments)


async def open_subscription(
    schema: graphene.Schema, document: Document, request: Request, context: Context
) -> OpenSubscription | ExecutionResult:
    """Call the class's `authorize` and `subscribe`; return their errors as GraphQL has them.

    Raises BadInput where `@skip` or `@include` leaves out the subscription's field.
    """
    try:
        opened: Any = await create_source_event_stream(
            schema.graphql_schema,
            document.valid_ast,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
            subscribe_field_resolver=_ask_the_class,
        )
    except RuntimeError as error:
        # graphql-core takes the first of the fields without asking whether there is one.
        # What the hooks raise is an error of their field, and does not come here.
        if isinstance(error.__cause__, StopIteration):
            raise BadInput("The subscription selects no field: @skip leaves it out.") from None
        raise
    return opened


async def _ask_the_class(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> OpenSubscription:
    output = get_named_type(info.return_type).graphene_type  # type: ignore[attr-defined]
    after = arguments.pop("after", None) if output.durable else None
    opened = OpenSubscription(output, info, arguments, output.group_names(None), after)
    await opened.authorize()
    if output._meta.subscribe:
        names = await output._meta.subscribe(root, info, **arguments)
        if not isinstance(names, list | tuple | None):
            raise TypeError(f"{output.__name__}.subscribe must return a list, a tuple or None")
        opened.groups += output.group_names(names or [])
    return opened


def without_junk(document: Document, request: Request) -> Request:
    """Return the request with the variables that its operation declares.

    On others nothing depends: they would be kept, and each a cohort of its own.
    """
    definitions = document.operation(request.operation_name).variable_definitions or ()
    names = {definition.variable.name.value for definition in definitions}
    declared = {name: value for name, value in request.variables.items() if name in names}
    return dataclasses.replace(request, variables=declared)


def size_of(id: str, request: Request) -> int:
    """Return the bytes that are kept of a subscription: its id in two messages' beginnings, too."""
    name, variables = request.operation_name or "", json.dumps(request.variables)
    return 3 * weight(id) + weight(request.query) + weight(name) + weight(variables)


def cohort_of(
    schema: graphene.Schema,
    document: Document,
    request: Request,
    opened: OpenSubscription,
    middleware: MiddlewareManager,
) -> tuple[Hashable, Run]:
    """Return the key of the cohort that the subscription belongs to, and the cohort's run.

    The audience is asked for now, so that it is the client's present one.
    """
    audience = opened.subscription_class.audience
    context: Context | SharedContext = opened.info.context
    key: Hashable = object()  # equal to no other: a cohort of one
    if audience is not None:
        context = SharedContext(audience(opened.info, **opened.arguments))
        variables = json.dumps(_variables_asked(document, request, opened), sort_keys=True)
        # Two consumers of a process may have different schemas, or middleware.
        asked = (schema, middleware, request.query, request.operation_name, variables)
        key = (asked, context.audience)

    run = functools.partial(
        execute,
        schema.graphql_schema,
        document.valid_ast,
        variable_values=request.variables,
        operation_name=request.operation_name,
        middleware=middleware,
        execution_context_class=cast(Any, Repeated()),
    )
    return key, EventRun(run, context, opened.subscription_class._recall)


class EventRun:
    """Runs a subscription's selection for one event after the other.

    Args:
        execute: takes the event's payload and context.
        context: of the cohort.
        recall: the class's hook.
    """

    __slots__ = ("_context", "_execute", "recall")

    def __init__(
        self,
        execute: Callable[[Any, Any], Outcome],
        context: Context | SharedContext,
        recall: Recall | None,
    ) -> None:
        self._execute, self._context, self.recall = execute, context, recall

    def __call__(self, event: Event) -> Outcome:
        """Run for an event that is news."""
        return self._execute(event.payload, self._context.of_event(event.cursor))

    def replay(self, event: Event) -> Outcome:
        """Run for an event whose `recalled` was looked up."""
        context = self._context.of_event(event.cursor, event.recalled, is_replayed=True)
        return self._execute(event.payload, context)


def _variables_asked(
    document: Document, request: Request, opened: OpenSubscription
) -> dict[str, Any]:
    """Return the variables that the result depends on: not the one that only says `after`.

    So clients that come back from different places share their runs.
    """
    if opened.after is None:
        return request.variables
    argument = _after_argument(opened.info)
    if argument is None or not isinstance(argument.value, VariableNode):
        return request.variables
    name = argument.value.name.value
    uses = _Uses(name)
    visit(document.valid_ast, uses)
    # Its definition is one of them.
    return {k: v for k, v in request.variables.items() if k != name or uses.count > 2}


def _after_argument(info: GraphQLResolveInfo) -> ArgumentNode | None:
    arguments = info.field_nodes[0].arguments
    return next((argument for argument in arguments if argument.name.value == "after"), None)


class _Uses(Visitor):
    """Counts where a variable stands in a document."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self.count = name, 0

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.count += node.name.value == self._name
