"""`info.context` is an object and a dict; a shared run's holds nothing of any one client."""

import pytest

from live.context import Context, SharedContext
from live.errors import SharedContextError

SECRET = "Ada Lovelace"


@pytest.fixture
def connection():
    return {"user": SECRET, "session": {"k": SECRET}}


@pytest.fixture
def context(connection):
    return Context(connection, {"graphql_operation_id": "1", "channels_scope": connection})


def test_reads_look_at_the_operation_and_the_connection(context):
    assert context.user == context["user"] == SECRET
    assert context.graphql_operation_id == context["graphql_operation_id"] == "1"
    assert context.get("nothing", 5) == 5
    assert getattr(context, "nothing", 5) == 5
    assert "user" in context
    assert "nothing" not in context
    assert set(context) == {"user", "session", "graphql_operation_id", "channels_scope"}
    assert len(context) == 4


def test_what_a_resolver_stores_is_its_operations(context, connection):
    context.zen = 42
    context["path"] = "mine"
    assert (context.zen, context.path) == (42, "mine")
    assert connection == {"user": SECRET, "session": {"k": SECRET}}
    later = Context(connection, {"graphql_operation_id": "2"})
    assert "zen" not in later
    del context.zen
    del context["path"]
    assert "zen" not in context
    assert "path" not in context


@pytest.mark.parametrize("name", ["user", "session"])
def test_a_log_in_holds_for_the_connection(context, connection, name):
    setattr(context, name, "new")
    assert connection[name] == "new"
    assert Context(connection, {})[name] == "new"


def test_what_publish_stores_is_there_at_the_next_event(context):
    first = context.of_event("c1")
    first.count = 1
    assert (first.cursor, context.count) == ("c1", 1)
    second = context.of_event("c2")
    assert (second.cursor, second.count) == ("c2", 1)
    assert "cursor" not in context


def test_what_is_not_there_is_named(context):
    with pytest.raises(AttributeError, match="'nothing'"):
        context.nothing  # noqa: B018
    with pytest.raises(KeyError):
        context["nothing"]
    with pytest.raises(AttributeError, match="'nothing'"):
        del context.nothing


def test_two_contexts_are_two(context, connection):
    other = Context(connection, {"graphql_operation_id": "1", "channels_scope": connection})
    assert context != other
    assert len({context, other}) == 2
    assert Context({}, {})


def test_its_text_shows_names_and_no_values(context):
    for text in (repr(context), str(context), f"{context}"):
        assert SECRET not in text
        assert "session" in text


# ---- shared


@pytest.fixture
def shared():
    return SharedContext(("fr", SECRET))


def test_a_shared_context_knows_its_audience(shared):
    assert shared.audience == shared["audience"] == ("fr", SECRET)
    assert "audience" in shared


@pytest.mark.parametrize(
    "reach",
    [
        lambda c: c.user,
        lambda c: c["user"],
        lambda c: c.channels_scope,
        # What would go on without the user must not do so silently.
        lambda c: getattr(c, "user", None),
        lambda c: hasattr(c, "user"),
        lambda c: c.get("user"),
        lambda c: "user" in c,
        lambda c: list(c),
        lambda c: dict(c),
        lambda c: setattr(c, "zen", 42),
        lambda c: c.__setitem__("zen", 42),
        # The next event's run needs it.
        lambda c: setattr(c, "audience", None),
        lambda c: c.__setitem__("audience", None),
        lambda c: delattr(c, "audience"),
    ],
)
def test_a_shared_context_has_nothing_else_and_says_so(shared, reach):
    with pytest.raises(SharedContextError):
        reach(shared)
    assert shared.audience == ("fr", SECRET)


def test_a_shared_contexts_text_shows_no_value(shared):
    assert SECRET not in repr(shared)
