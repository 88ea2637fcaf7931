"""The same selection for one event after the other: what stays the same is looked up once."""

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
    Undefined,
    get_argument_values,
    get_nullable_type,
    is_leaf_type,
    located_error,
)
from graphql.execution.execute import CollectedErrors, get_field_def
from graphql.pyutils import Path, is_awaitable

# What no resolver can change for the next event to see.
_FIXED = frozenset(
    {str, int, float, bool, type(None), bytes}
    | {datetime.datetime, datetime.date, datetime.time, decimal.Decimal, uuid.UUID}
)
_NEVER_AWAITED = _FIXED | {dict, list, tuple}


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
        return (
            self._first.again(root, context) if isinstance(self._first, _Execution) else self._first
        )


@dataclass(frozen=True, slots=True)
class _Field:
    """How a type's field is resolved; `serialize` is there if it is a leaf."""

    name: str
    type: GraphQLOutputType
    resolve: Callable[..., Any]
    arguments: dict[str, Any]
    serialize: Callable[[Any], Any] | None


class _Execution(ExecutionContext):
    """An execution that keeps what it finds out about fields for those after it."""

    @staticmethod
    def is_awaitable(value: Any) -> bool:
        return value.__class__ not in _NEVER_AWAITED and is_awaitable(value)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._fields: dict[tuple[GraphQLObjectType, int], _Field | None] = {}

    def again(self, root: Any, context: Any) -> "_Execution":
        """Return an execution for other values, which knows what this one has found out."""
        other = object.__new__(_Execution)
        other.__dict__.update(self.__dict__)
        other.root_value, other.context_value = root, context
        other.collected_errors = CollectedErrors()
        return other

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_nodes: list[FieldNode],
        path: Path,
    ) -> Any:
        """Return the field's value, or an awaitable of it, as graphql-core does."""
        # By identity, as graphql-core keeps sub-selections: the document outlives this.
        key = (parent_type, id(field_nodes[0]))
        if key not in self._fields:
            self._fields[key] = self._find_field(parent_type, field_nodes[0])
        field = self._fields[key]
        if field is None:
            return super().execute_field(parent_type, source, field_nodes, path)
        info = self._info(field, field_nodes, parent_type, path)
        try:
            value = field.resolve(source, info, **field.arguments)
            if self.is_awaitable(value):
                return self._resolved_later(field, info, value)
            value = self._completed(field, info, value)
        except Exception as error:
            return self._failed(field, info, error)
        return self._completed_later(field, info, value) if self.is_awaitable(value) else value

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
        leaf = get_nullable_type(kind)
        serialize = leaf.serialize if is_leaf_type(leaf) else None
        return _Field(node.name.value, definition.type, resolve, arguments, serialize)

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
            self.is_awaitable,
        )

    def _completed(self, field: _Field, info: GraphQLResolveInfo, value: Any) -> Any:
        if field.serialize and value is not None and not isinstance(value, Exception):
            serialized = field.serialize(value)
            if serialized is not None and serialized is not Undefined:
                return serialized
        # Also for a leaf that has no value, which may be an error.
        return self.complete_value(field.type, info.field_nodes, info, info.path, value)

    async def _resolved_later(
        self, field: _Field, info: GraphQLResolveInfo, value: Awaitable[Any]
    ) -> Any:
        try:
            completed = self._completed(field, info, await value)
            return await completed if self.is_awaitable(completed) else completed
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
