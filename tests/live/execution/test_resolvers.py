"""Sync resolvers run in the pool and may use the ORM; the event loop never runs them."""

import asyncio
import threading

import graphene
import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from graphene_django import DjangoObjectType
from graphql import ExecutionResult, execute, parse

from live.concurrency.threads import Pool, end_workers, in_worker_thread, worker_pool
from live.execution.resolvers import WorkerThreads, from_memory, is_loaded
from tests.live.engine import until

SECONDS = 10


def here():
    return threading.current_thread().name


class ContentTypeNode(DjangoObjectType):
    """What a permission is for."""

    class Meta:
        model = ContentType
        fields = ("model",)
        name = "TestContentType"
        skip_registry = True


class PermissionNode(graphene.ObjectType):
    """A permission, read by attribute."""

    codename = graphene.String()
    content_type = graphene.Field(lambda: ContentTypeNode)
    where = graphene.String()


class Plain:
    """No model: its attributes are at hand."""

    codename = "plain"

    @property
    def where(self):
        return here()


class Page(graphene.ObjectType):
    """Reads a part of a queryset."""

    was_read = graphene.Boolean()

    @from_memory
    def resolve_was_read(root, info):
        return root._result_cache is not None


class Query(graphene.ObjectType):
    """Resolvers of every kind; each says where it ran."""

    sync = graphene.String()
    asynchronous = graphene.String()
    memory = graphene.String()
    count = graphene.Int()
    wait = graphene.Int()
    permission = graphene.Field(PermissionNode, loaded=graphene.Boolean())
    plain = graphene.Field(PermissionNode)
    permissions = graphene.List(PermissionNode)
    page = graphene.Field(Page)

    def resolve_sync(root, info):
        return here()

    async def resolve_asynchronous(root, info):
        return here()

    @from_memory
    def resolve_memory(root, info):
        return here()

    def resolve_count(root, info):
        return Permission.objects.count()

    def resolve_wait(root, info):
        return info.context()

    def resolve_permission(root, info, loaded=False):
        permissions = Permission.objects.order_by("pk")
        if loaded:
            permissions = permissions.select_related("content_type")
        return permissions.first()

    def resolve_permissions(root, info):
        return Permission.objects.order_by("pk")[:3]

    def resolve_page(root, info):
        return Permission.objects.all()

    @from_memory
    def resolve_plain(root, info):
        return Plain()


schema = graphene.Schema(query=Query)


async def run(query, *middleware, context=None, manager=None):
    outcome = execute(
        schema.graphql_schema,
        parse(query),
        context_value=context,
        middleware=manager or WorkerThreads(*middleware),
    )
    result = outcome if isinstance(outcome, ExecutionResult) else await outcome
    assert result.errors is None, result.errors
    return result.data


@pytest.fixture
def hops(monkeypatch):
    """Count what is given to the pool."""
    counted = []
    submit = worker_pool(Pool.READS).submit

    def counting(*args, **kwargs):
        counted.append(args)
        return submit(*args, **kwargs)

    monkeypatch.setattr(worker_pool(Pool.READS), "submit", counting)
    return counted


# ---- where resolvers run


async def test_a_sync_resolver_runs_in_the_pool():
    assert (await run("{ sync }"))["sync"].startswith("live-worker")


async def test_an_async_resolver_and_a_marked_one_run_on_the_loop(hops):
    assert await run("{ asynchronous memory }") == {"asynchronous": here(), "memory": here()}
    assert hops == []


@pytest.mark.django_db(transaction=True)
async def test_a_sync_resolver_may_use_the_orm():
    assert (await run("{ count }"))["count"] > 0


@pytest.mark.django_db(transaction=True)
async def test_a_queryset_that_a_resolver_returns_is_read_in_the_pool(hops):
    assert len((await run("{ permissions { codename } }"))["permissions"]) == 3
    assert len(hops) == 1


async def test_a_queryset_of_which_others_take_a_page_is_not_read_whole():
    assert await run("{ page { wasRead } }") == {"page": {"wasRead": False}}


@pytest.mark.django_db(transaction=True)
async def test_a_models_plain_fields_cost_no_hop(hops):
    assert (await run("{ permission { codename } }"))["permission"]["codename"]
    assert len(hops) == 1


@pytest.mark.django_db(transaction=True)
async def test_a_relation_that_is_not_loaded_is_read_in_the_pool(hops):
    query = "{ permission(loaded: %s) { codename contentType { model } } }"
    assert (await run(query % "true"))["permission"]["contentType"]["model"]
    loaded = len(hops)
    hops.clear()
    assert (await run(query % "false"))["permission"]["contentType"]["model"]
    assert len(hops) == loaded + 1


@pytest.mark.django_db(transaction=True)
async def test_a_property_of_a_model_is_read_in_the_pool(monkeypatch):
    monkeypatch.setattr(Permission, "where", property(lambda self: here()), raising=False)
    data = await run("{ permission { where } }")
    assert data["permission"]["where"].startswith("live-worker")


async def test_what_is_no_model_is_read_on_the_loop(hops):
    data = await run("{ plain { codename where } }")
    assert data == {"plain": {"codename": "plain", "where": here()}}
    assert hops == []


@pytest.mark.django_db(transaction=True)
async def test_a_deferred_field_is_read_in_the_pool():
    def read():
        return Permission.objects.defer("codename").first()

    permission = await in_worker_thread(read)()
    assert not is_loaded(permission, "codename")
    assert is_loaded(permission, "name")


# ---- middleware


async def test_middleware_is_called_in_the_librarys_order_around_the_pool():
    calls = []

    def named(name):
        async def middleware(following, root, info, **arguments):
            calls.append(f"{name} in")
            value = following(root, info, **arguments)
            value = await value if asyncio.iscoroutine(value) else value
            calls.append(f"{name} out")
            return value

        return middleware

    data = await run("{ sync }", named("inner"), named("outer"))
    assert data["sync"].startswith("live-worker")
    assert calls == ["outer in", "inner in", "inner out", "outer out"]


async def test_middleware_may_be_an_object_with_resolve():
    class Upper:
        def resolve(self, following, root, info, **arguments):
            return following(root, info, **arguments).upper()

    assert (await run("{ memory }", Upper()))["memory"] == here().upper()


async def test_a_wrapped_resolver_is_made_once():
    manager = WorkerThreads()
    await run("{ sync memory }", manager=manager)
    made = dict(manager._cached_resolvers)
    await run("{ sync memory }", manager=manager)
    assert manager._cached_resolvers == made
    assert len(made) == 2


# ---- the pool


async def test_the_pool_has_as_many_threads_as_the_settings_allow(settings):
    settings.LIVE = {"MAX_WORKER_THREADS": 3}
    worker_pool.cache_clear()
    release, running = threading.Event(), []

    def work():
        running.append(here())
        assert release.wait(SECONDS)
        return 1

    aliases = " ".join(f"w{n}: wait" for n in range(12))
    try:
        asked = asyncio.ensure_future(run(f"{{ {aliases} }}", context=work))
        await until(lambda: worker_pool(Pool.READS)._work_queue.qsize() == 9 and len(running) == 3)
        assert len(set(running)) == 3
        release.set()
        assert len(await asyncio.wait_for(asked, SECONDS)) == 12
    finally:
        release.set()
        end_workers()
    assert len(set(running)) == 3


async def test_the_loop_turns_while_the_pool_works():
    held, turned = threading.Event(), []

    async def turn():
        for _ in range(5):
            await asyncio.sleep(0)
            turned.append(True)
        held.set()

    turning = asyncio.ensure_future(turn())
    assert await run("{ wait }", context=lambda: int(held.wait(SECONDS))) == {"wait": 1}
    await turning
    assert len(turned) == 5
