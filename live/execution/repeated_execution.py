"""The same selection for one event after the other: what stays the same is looked up once."""

import asyncio
import datetime
import decimal
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    ExecutionContext,
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    get_argument_values,
    get_nullable_type,
    is_leaf_type,
    is_object_type,
    located_error,
)
from graphql.execution.collect_fields import collect_fields
from graphql.execution.execute import CollectedErrors, get_field_def
from graphql.pyutils import Path, is_awaitable

from live.concurrency.begun_task import BegunTask
from live.execution.resolvers import NOT_AT_HAND

# What no resolver can change for the next event to see.
_FIXED = frozenset(
    {str, int, float, bool, type(None), bytes}
    | {datetime.datetime, datetime.date, datetime.time, decimal.Decimal, uuid.UUID}
)
_NEVER_AWAITED = _FIXED | {dict, list, tuple}

_Selected = dict[str, list[FieldNode]]


class Repeated:
    """What the executions of one operation, with the same variables, have in common.

    Takes the place of `execution_context_class` in graphql-core's `execute`. Results and
    errors are those of graphql-core's own class.
    """

    def __init__(self) -> None:
        self._first: _Execution | list[GraphQLError] | None = None

    def build(self, schema: Any, document: Any, root: Any, context: Any, *rest: Any) -> Any:
        """Return the context of one execution, or what is wrong with operation or variables."""
        if self._first is None:
            built: Any = _Execution.build(schema, document, None, None, *rest)
            self._first = built
        if isinstance(self._first, list):
            return self._first
        return self._first.again(root, context)


@dataclass(frozen=True, slots=True)
class _Field:
    """How a type's field is resolved.

    `serialize` is there if it is a leaf, `object` if it is of an object type, `at_hand` if only
    an attribute is read for it (see live.concurrency.threads).
    """

    name: str
    type: GraphQLOutputType
    resolve: Callable[..., Any]
    arguments: dict[str, Any]
    serialize: Callable[[Any], Any] | None
    object: GraphQLObjectType | None
    at_hand: Callable[[Any], Any] | None

    def read(self, source: Any) -> Any:
        """Return the value where it is at hand, else NOT_AT_HAND."""
        if self.at_hand is None:
            return NOT_AT_HAND
        try:
            return self.at_hand(source)
        except Exception:
            return NOT_AT_HAND  # its resolver fails with it, where the error belongs

    def serialized(self, value: Any) -> Any:
        """Return a leaf's value for the result; None where graphql-core has to look at it."""
        if self.serialize is None or value is None or isinstance(value, Exception):
            return None
        if _is_awaitable(value):
            return None
        try:
            serialized = self.serialize(value)
        except Exception:
            return None
        return None if serialized is Undefined else serialized


def _is_awaitable(value: Any) -> bool:
    return value.__class__ not in _NEVER_AWAITED and is_awaitable(value)


class _Execution(ExecutionContext):
    """An execution that keeps what it finds out about fields for those after it."""

    is_awaitable = staticmethod(_is_awaitable)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._fields: dict[tuple[GraphQLObjectType, int], _Field | None] = {}
        self._root: list[tuple[GraphQLObjectType, _Selected]] = []

    def again(self, root: Any, context: Any) -> "_Execution":
        """Return an execution for other values, which knows what this one has found out."""
        other = object.__new__(_Execution)
        other.__dict__.update(self.__dict__)
        other.root_value, other.context_value = root, context
        other.collected_errors = CollectedErrors()
        return other

    # ---- in place of graphql-core's

    def execute_operation(self, operation: OperationDefinitionNode, root_value: Any) -> Any:
        """Return the operation's data, or an awaitable of it."""
        if operation.operation is OperationType.MUTATION:
            return super().execute_operation(operation, root_value)
        if not self._root:
            self._root.append(self._collect_root(operation))
        [(root_type, selected)] = self._root
        return self.execute_fields(root_type, root_value, None, selected)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        fields: _Selected,
    ) -> Any:
        """Return the values of the fields, or an awaitable of them."""
        results: dict[str, Any] = {}
        later = []
        for name, nodes in fields.items():
            # By identity, as graphql-core keeps sub-selections: the document outlives this.
            key = (parent_type, id(nodes[0]))
            if key not in self._fields:
                self._fields[key] = self._find_field(parent_type, nodes[0])
            value = self._value(self._fields[key], source_value, nodes, parent_type, path, name)
            if value is not Undefined:
                results[name] = value
                if _is_awaitable(value):
                    later.append(name)
        return _gathered(results, later) if later else results

    # ---- fields

    def _value(
        self,
        field: _Field | None,
        source: Any,
        nodes: list[FieldNode],
        parent_type: GraphQLObjectType,
        path: Path | None,
        name: str,
    ) -> Any:
        if field is None:
            place = Path(path, name, parent_type.name)
            return self.execute_field(parent_type, source, nodes, place)
        value = field.read(source)
        if value is not NOT_AT_HAND:
            serialized = field.serialized(value)
            if serialized is not None:
                return serialized
        info = self._info(field, nodes, parent_type, Path(path, name, parent_type.name))
        if value is NOT_AT_HAND:
            try:
                value = field.resolve(source, info, **field.arguments)
            except Exception as error:
                return self._failed(field, info, error)
        return self._complete(field, info, value)

    def _complete(self, field: _Field, info: GraphQLResolveInfo, value: Any) -> Any:
        try:
            if _is_awaitable(value):
                return self._resolved_later(field, info, value)
            value = self._completed(field, info, value)
        except Exception as error:
            return self._failed(field, info, error)
        return self._completed_later(field, info, value) if _is_awaitable(value) else value

    def _completed(self, field: _Field, info: GraphQLResolveInfo, value: Any) -> Any:
        nodes, path = info.field_nodes, info.path
        if field.object is not None and not (value is None or isinstance(value, Exception)):
            return self.complete_object_value(field.object, nodes, info, path, value)
        serialized = field.serialized(value)
        if serialized is not None:
            return serialized
        return self.complete_value(field.type, nodes, info, path, value)

    async def _resolved_later(
        self, field: _Field, info: GraphQLResolveInfo, value: Awaitable[Any]
    ) -> Any:
        try:
            completed = self._completed(field, info, await value)
            return await completed if _is_awaitable(completed) else completed
        except Exception as error:
            return self._failed(field, info, error)

    async def _completed_later(
        self, field: _Field, info: GraphQLResolveInfo, value: Awaitable[Any]
    ) -> Any:
        try:
            return await value
        except Exception as error:
            return self._failed(field, info, error)

    def _failed(self, field: _Field, info: GraphQLResolveInfo, error: Exception) -> None:
        located = located_error(error, info.field_nodes, info.path.as_list())
        self.handle_field_error(located, field.type, info.path)

    # ---- what is looked up once

    def _collect_root(
        self, operation: OperationDefinitionNode
    ) -> tuple[GraphQLObjectType, _Selected]:
        root_type = self.schema.get_root_type(operation.operation)
        assert root_type is not None, "validation has found the operation's type"
        variables, selected = self.variable_values, operation.selection_set
        return root_type, collect_fields(
            self.schema, self.fragments, variables, root_type, selected
        )

    def _find_field(self, parent_type: GraphQLObjectType, node: FieldNode) -> _Field | None:
        """Return how the field is resolved; None where graphql-core has to look each time."""
        definition = get_field_def(self.schema, parent_type, node)
        if definition is None:
            return None
        try:
            arguments = get_argument_values(definition, node, self.variable_values)
        except GraphQLError:
            return None
        if any(value.__class__ not in _FIXED for value in arguments.values()):
            return None
        resolve = definition.resolve or self.field_resolver
        if self.middleware_manager:
            resolve = self.middleware_manager.get_field_resolver(resolve)
        kind: Any = definition.type
        inner: Any = get_nullable_type(kind)
        serialize = inner.serialize if is_leaf_type(inner) else None
        object_type = inner if is_object_type(inner) else None
        at_hand = getattr(resolve, "at_hand", None)
        return _Field(node.name.value, kind, resolve, arguments, serialize, object_type, at_hand)

    def _info(
        self, field: _Field, nodes: list[FieldNode], parent_type: GraphQLObjectType, path: Path
    ) -> GraphQLResolveInfo:
        return GraphQLResolveInfo(
            field.name,
            nodes,
            field.type,
            parent_type,
            path,
            self.schema,
            self.fragments,
            self.root_value,
            self.operation,
            self.variable_values,
            self.context_value,
            _is_awaitable,
        )


async def _gathered(results: dict[str, Any], later: list[str]) -> dict[str, Any]:
    if len(later) == 1:
        # Without a task, as most subscriptions have one field that waits: `publish`.
        [name] = later
        results[name] = await results[name]
        return results
    loop = asyncio.get_running_loop()
    values = await asyncio.gather(*(BegunTask(results[name], loop=loop) for name in later))
    results.update(zip(later, values, strict=True))
    return results
