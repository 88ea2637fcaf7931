"""From a request's text to its result: one way for HTTP and for sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import graphene
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    MaxIntrospectionDepthRule,
    MiddlewareManager,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    execute,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)

from live.concurrency.bounded_cache import BoundedCache
from live.concurrency.fair_share import counting_in
from live.concurrency.single_flight import SingleFlight
from live.concurrency.threads import Pool, in_worker_thread
from live.conf import conf
from live.context import Context
from live.errors import BadInput, LimitExceeded, QueryTooComplex, Timeout
from live.execution.document_limits import Bounds, check_document
from live.execution.introspection import check_introspection, told_to
from live.execution.row_budget import check_rows
from live.identity.rate_limits import Client

# Longer documents are rarely sent twice, and the cache must not hold megabytes of them.
LONGEST_CACHED_DOCUMENT = 16_384


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request's parameters, as GraphQL over HTTP and both subprotocols name them."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_payload(cls, payload: Any) -> "Request":
        """Read the JSON value `payload`; raise BadInput that names what has the wrong type."""
        if not isinstance(payload, Mapping):
            raise BadInput("The request must be an object with a query.")
        query, name = payload.get("query"), payload.get("operationName")
        variables = payload.get("variables")
        if not isinstance(query, str) or not query.strip():
            raise BadInput("The request's query must be a non-empty string.")
        if name is not None and not isinstance(name, str):
            raise BadInput("The request's operationName must be a string.")
        if variables is not None and not isinstance(variables, dict):
            raise BadInput("The request's variables must be an object.")
        return cls(query, name, variables or {})


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document and what validation found in it."""

    ast: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    introspects: bool = False

    @property
    def valid_ast(self) -> DocumentNode:
        """The syntax tree; only a document without errors is run."""
        assert self.ast is not None, "a document with errors is not run"
        return self.ast

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation called `name`, or the only one; raise BadInput without it."""
        found = get_operation_ast(self.ast, name) if self.ast else None
        if found is None:
            raise BadInput(
                "The document has no such operation."
                if name is not None
                else "The document has not exactly one operation: give operationName."
            )
        return found


async def prepare(schema: graphene.Schema, query: str, client: Client) -> Document:
    """Parse and validate `query`, in a worker thread; what was seen before is remembered.

    Raises RateLimited where `client` brings too many that were not.
    """
    key = (schema.graphql_schema, query)
    document = _documents.pop(key)
    if document is None:
        document = await _parsing.do(key, _parse_anew, key, client)
    if len(query) <= LONGEST_CACHED_DOCUMENT:
        _remember(key, document)
    for error in document.errors:
        if isinstance(error, LimitExceeded):
            error.count()
            client.charge_refused_document()
    return document


# What is being parsed: those who bring the same meanwhile wait for it.
_parsing: SingleFlight[Document] = SingleFlight()


def _parse_anew(key: tuple[GraphQLSchema, str], client: Client) -> Coroutine[Any, Any, Document]:
    client.charge_document(key[1])
    return in_worker_thread(_parse_and_validate, Pool.PARSING)(*key)


# The documents seen last.
_documents: BoundedCache[Document] = BoundedCache()


def _remember(key: tuple[GraphQLSchema, str], document: Document) -> None:
    most = {"most": conf.DOCUMENT_CACHE_SIZE, "most_weight": conf.DOCUMENT_CACHE_CHARACTERS}
    _documents.keep(key, document, len(key[1]), **most)


def _parse_and_validate(schema: GraphQLSchema, query: str) -> Document:
    """Check the bounds before validation, some of whose rules cost more than linear time."""
    try:
        ast = _parse(query)
        check_document(ast, _bounds())
    except GraphQLError as error:
        return Document(None, (error,))
    errors = validate(schema, ast, [*specified_rules, MaxIntrospectionDepthRule])
    if not errors:
        try:
            check_rows(schema, ast, conf.MAX_ROWS, conf.MAX_PAGE_SIZE)
        except QueryTooComplex as error:
            errors = [error]
    introspection = validate(schema, ast, [NoSchemaIntrospectionCustomRule], max_errors=1)
    return Document(ast, tuple(errors), bool(introspection))


def _parse(query: str) -> DocumentNode:
    try:
        return parse(query, max_tokens=conf.MAX_QUERY_TOKENS)
    except GraphQLSyntaxError as error:
        if "nested too deeply" in error.message:
            raise QueryTooComplex("The query is nested too deeply.", limit="depth") from None
        if "Document contains more than" in error.message:
            allowed = conf.MAX_QUERY_TOKENS
            message = f"The query's tokens may be {allowed} at most."
            raise QueryTooComplex(message, limit="tokens") from None
        raise


def _bounds() -> Bounds:
    return Bounds(
        depth=conf.MAX_QUERY_DEPTH, fields=conf.MAX_QUERY_FIELDS, aliases=conf.MAX_QUERY_ALIASES
    )


async def run(
    schema: graphene.Schema,
    document: Document,
    request: Request,
    context: Context,
    middleware: MiddlewareManager,
) -> ExecutionResult:
    """Execute a query or mutation; sync resolvers run in worker threads.

    Raises Forbidden where the user may not introspect.
    """
    check_introspection(document.introspects, context.get("user"))
    result = execute(
        schema.graphql_schema,
        document.valid_ast,
        context_value=context,
        variable_values=request.variables,
        operation_name=request.operation_name,
        middleware=middleware,
    )
    result = result if isinstance(result, ExecutionResult) else await result
    if result.errors:
        result.errors = list(told_to(context.get("user"), result.errors))
    return result


@contextlib.asynccontextmanager
async def of_one_operation(client: Client) -> AsyncIterator[None]:
    """Bound what the block does for one operation: its time, and its client's threads.

    Raises Timeout after OPERATION_TIMEOUT seconds. What waits for a thread then is not carried
    out; what runs in one goes on, since nothing can stop it there.
    """
    limit = asyncio.timeout(conf.OPERATION_TIMEOUT)
    try:
        with counting_in(client.shares):
            async with limit:
                yield
    except TimeoutError:
        if limit.expired():
            raise Timeout(limit="operation_timeout") from None
        raise


def is_subscription(operation: OperationDefinitionNode) -> bool:
    """Whether the operation opens a stream."""
    return operation.operation == OperationType.SUBSCRIPTION
