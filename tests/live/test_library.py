"""What we rely on in django-channels-graphql-ws, so that an upgrade of it fails here first."""

import importlib.metadata
import inspect

import channels.generic.websocket
import channels_graphql_ws
import channels_graphql_ws.client
import channels_graphql_ws.testing
import channels_graphql_ws.transport
import graphene
import pytest
from channels_graphql_ws import GraphqlWsConsumer

from live.socket.consumer import LiveConsumer
from live.subscription import Subscription


class Ticked(channels_graphql_ws.Subscription):
    """The library's own, to look at what it makes of a subclass."""

    tick = graphene.Int()

    class Arguments:
        room = graphene.String()

    @staticmethod
    def subscribe(root, info, room=None):
        return [room]

    @staticmethod
    def publish(payload, info, room=None):
        return Ticked(tick=payload)

    @staticmethod
    def unsubscribed(root, info, room=None):
        pass


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_the_version_is_the_one_we_mend():
    assert importlib.metadata.version("django-channels-graphql-ws") == "1.0.0rc7"


# ---- the consumer


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("send_ping_every", None),
        ("connection_init_wait_timeout", 0),
        ("strict_ordering", False),
        ("confirm_subscriptions", False),
        ("subscription_confirmation_message", {"data": None, "errors": None}),
        ("warn_operation_timeout", 1),
        ("subscription_notification_queue_limit", 1024),
        ("middleware", None),
        ("group_name_prefix", "GQLWS"),
    ],
)
def test_the_consumers_public_attributes_and_their_defaults(name, default):
    assert getattr(GraphqlWsConsumer, name) == default


def test_the_consumers_hooks_take_what_the_readme_says():
    assert parameters(GraphqlWsConsumer.on_connect) == ["self", "payload"]
    assert parameters(GraphqlWsConsumer.on_operation) == ["self", "op_id", "payload"]
    assert inspect.iscoroutinefunction(GraphqlWsConsumer.on_connect)
    assert inspect.iscoroutinefunction(GraphqlWsConsumer.on_operation)
    assert "schema" in GraphqlWsConsumer.__annotations__


def test_the_consumer_is_channels_own_json_one():
    base = channels.generic.websocket.AsyncJsonWebsocketConsumer
    assert GraphqlWsConsumer.__mro__[1] is base


def test_every_method_that_we_override_is_there():
    """An override of what is no longer called would silently stop to work."""
    overridden = {
        name
        for name, value in LiveConsumer.__dict__.items()
        if callable(value) and any(name in base.__dict__ for base in LiveConsumer.__mro__[1:])
    }
    assert overridden == {
        "__init__",
        "__call__",
        "connect",
        "disconnect",
        "dispatch",
        "receive",
        "websocket_disconnect",
        "_format_error",
    }
    assert isinstance(inspect.getattr_static(GraphqlWsConsumer, "_format_error"), staticmethod)
    assert parameters(GraphqlWsConsumer._format_error) == ["error"]


def test_what_the_consumer_sets_that_we_use_is_there():
    class Consumer(GraphqlWsConsumer):
        schema = graphene.Schema(query=type("Query", (graphene.ObjectType,), {"a": graphene.Int()}))

    assert Consumer()._graphql_ws_subprotocol is None


# ---- subscriptions


def test_a_subscriptions_meta_has_the_hooks():
    assert Ticked._meta.output is Ticked
    assert Ticked._meta.publish is Ticked.publish
    assert Ticked._meta.subscribe is Ticked.subscribe
    assert Ticked._meta.unsubscribed is Ticked.unsubscribed
    assert list(Ticked._meta.arguments) == ["room"]
    assert Ticked.notification_queue_limit is None


def test_a_subclass_takes_its_hooks_as_options():
    # `live` gives `subscribe` and `unsubscribed`, made asynchronous, this way.
    assert parameters(channels_graphql_ws.Subscription.__init_subclass_with_meta__) == [
        "subscribe",
        "publish",
        "unsubscribed",
        "output",
        "arguments",
        "_meta",
        "options",
    ]


def test_group_names_are_the_librarys():
    named, whole = Ticked._group_name("room"), Ticked._group_name()
    assert named != whole
    assert named.startswith("GQLWS-")
    assert named == Ticked._group_name("room")
    assert callable(Ticked._channel_layer)


def test_a_field_resolves_by_publish():
    field = Ticked.Field(name="ticks", required=True)
    assert field.resolver is Ticked._meta.publish
    assert field.name == "ticks"


@pytest.mark.parametrize("suffix", ["", "_sync", "_async"])
def test_broadcast_and_unsubscribe_take_the_same_keywords_as_the_librarys(suffix):
    for name in ("broadcast", "unsubscribe"):
        theirs = getattr(channels_graphql_ws.Subscription, name + suffix)
        ours = getattr(Subscription, name + suffix)
        own = ["exclude_channel", "about", "forget"] if name == "broadcast" else []
        assert parameters(ours) == parameters(theirs) + own
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)


# ---- the clients


def test_the_client_that_the_example_mends():
    client = channels_graphql_ws.client.GraphqlWsClient
    assert parameters(client.__init__)[:2] == ["self", "transport"]
    assert "subprotocol" in parameters(client.__init__)
    assert parameters(client.execute) == ["self", "query", "variables"]
    assert {"query", "variables", "operation_name", "msg_id"} <= set(parameters(client.start))
    assert isinstance(client.transport, property)
    for name in ("connect_and_init", "execute", "start", "complete", "finalize"):
        assert inspect.iscoroutinefunction(getattr(client, name))


def test_the_transport_that_the_example_mends():
    transport = channels_graphql_ws.transport.GraphqlWsTransportAiohttp
    made = transport("ws://localhost", cookies={"a": "b"}, headers={"c": "d"})
    assert (made._url, made._cookies, made._headers) == (
        "ws://localhost",
        {"a": "b"},
        {"c": "d"},
    )
    for name in ("connect", "send", "receive", "disconnect", "wait_disconnect"):
        assert inspect.iscoroutinefunction(getattr(transport, name))


def test_the_testing_client_that_our_tests_use():
    testing = channels_graphql_ws.testing
    assert {"application", "path", "communicator_kwds", "subprotocol"} <= set(
        parameters(testing.GraphqlWsTransport.__init__)
    )
    assert callable(testing.GraphqlWsClient.assert_no_messages)
