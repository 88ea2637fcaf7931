"""Where resolvers run: what may ask the database in a worker thread, the rest on the event loop."""

import functools
from collections.abc import Callable
from typing import Any

from django.db.models import Model, QuerySet
from graphene.relay import GlobalID
from graphene.types.resolver import dict_or_attr_resolver
from graphql import (
    GraphQLResolveInfo,
    MiddlewareManager,
    OperationType,
    default_field_resolver,
    is_list_type,
    is_non_null_type,
)

from live.concurrency.threads import Pool, in_event_loop, in_worker_thread, is_async


def from_memory(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a sync resolver that only reads what is in memory: it runs on the loop, for free.

    It must not touch the ORM, a file or a lock.
    """
    resolver.reads_memory_only = True  # type: ignore[attr-defined]
    return resolver


def reads_memory_only(resolver: Any) -> bool:
    """Whether `resolver` is marked by `from_memory`, or is Relay's or graphql-core's own.

    Relay's encodes a key; graphql-core's answer `__typename` and introspection.
    """
    function = resolver.func if isinstance(resolver, functools.partial) else resolver
    return (
        getattr(function, "reads_memory_only", False)
        or function is GlobalID.id_resolver
        or str(getattr(function, "__module__", "")).startswith("graphql.type.")
    )


def resolves_by_name(resolver: Any) -> bool:
    """Whether `resolver` is graphene's or graphql-core's default, which reads an attribute."""
    function = resolver.func if isinstance(resolver, functools.partial) else resolver
    return function in (dict_or_attr_resolver, default_field_resolver)


class WorkerThreads(MiddlewareManager):
    """A middleware manager under which sync resolvers run in the pool.

    Async resolvers stay on the loop. A plain attribute costs no thread: only an attribute
    that may ask the database (a relation not loaded yet, a property or method of a model)
    does. Takes the same middleware as graphql-core's manager, and wraps it around all this.
    """

    def get_field_resolver(self, field_resolver: Callable[..., Any]) -> Callable[..., Any]:
        """Return `field_resolver` as it is to be called from the event loop."""
        cached = self._cached_resolvers.get(field_resolver)
        if cached is None:
            cached = off_the_loop(field_resolver)
            for middleware in self._middleware_resolvers or ():
                cached = functools.partial(middleware, cached)
            self._cached_resolvers[field_resolver] = cached
        return cached


# What `at_hand` returns where the database may have to be asked.
NOT_AT_HAND = object()


def off_the_loop(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Return `resolver` with its sync work moved to the pool.

    Where it only reads an attribute, what is returned has an attribute itself, `at_hand`: a
    function that takes the root alone.
    """
    if is_async(resolver) or reads_memory_only(resolver):
        return resolver
    reading = _reading_lists(resolver)
    in_thread = _in_pool_of_its_operation(reading)
    if not resolves_by_name(resolver):
        return in_thread
    # graphene binds the attribute's name into its resolver; graphql-core's has the field's.
    attribute: str = resolver.args[0] if isinstance(resolver, functools.partial) else ""

    def read(root: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
        if isinstance(root, Model) and not is_loaded(root, attribute or info.field_name):
            # A middleware may have moved the call to a thread itself: it expects the value.
            return (in_thread if in_event_loop() else reading)(root, info, **args)
        return resolver(root, info, **args)

    def at_hand(root: Any) -> Any:
        if isinstance(root, Model):
            return getattr(root, attribute) if is_loaded(root, attribute) else NOT_AT_HAND
        return resolver(root, None)

    if attribute:
        read.at_hand = at_hand  # type: ignore[attr-defined]
    return read


def _in_pool_of_its_operation(resolver: Callable[..., Any]) -> Callable[..., Any]:
    in_thread = {pool: in_worker_thread(resolver, pool) for pool in (Pool.READS, Pool.WRITES)}

    @functools.wraps(resolver)
    async def run(root: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
        writes = info.operation.operation is OperationType.MUTATION
        return await in_thread[Pool.WRITES if writes else Pool.READS](root, info, **args)

    return run


def _reading_lists(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Return `resolver`, whose queryset is read where it runs if the field is a list.

    graphql-core would iterate it on the event loop, where Django refuses.
    """

    @functools.wraps(resolver)
    def read(root: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
        value = resolver(root, info, **args)
        if isinstance(value, QuerySet) and _is_list(info.return_type):
            len(value)
        return value

    return read


def _is_list(kind: Any) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def is_loaded(instance: Model, name: str) -> bool:
    """Whether attribute `name` of a model's instance is at hand, without a query."""
    return name in instance.__dict__ or name in instance._state.fields_cache
