"""What a consumer class may set: looked at where it is defined, not where it would be missed."""

from inspect import getattr_static
from typing import Any

from channels_graphql_ws import GraphqlWsConsumer

# The default of an attribute for which there is a setting.
FROM_SETTINGS: Any = object()

# What the library's consumer, or Channels', has and nothing here asks for; what to use instead.
NO_EFFECT = {
    "subscription_notification_queue_limit": "it would lose notifications. Set LIVE's "
    "NOTIFICATION_QUEUE_LIMIT, or a subscription's own notification_queue_limit.",
    "group_name_prefix": "groups are not the channel layer's.",
    "_format_error": "errors are formatted once for all who share a run. Raise a subclass of "
    "live.errors.LiveError for what clients may read.",
    "encode_json": "messages are encoded once for all sockets.",
    "decode_json": "messages are decoded by the protocol.",
    "receive_json": "messages are received by the protocol.",
    "send_json": "messages are sent by the socket's queue.",
    "send": "messages are sent by the socket's queue.",
    "groups": "sockets are in no group of the channel layer. Use a subscription's broadcast.",
    "channel_layer_alias": "one hub listens for all sockets, to the default layer.",
}

# What the library's consumer has that counts here, too.
COUNTS = {
    "schema",
    "send_ping_every",
    "connection_init_wait_timeout",
    "strict_ordering",
    "confirm_subscriptions",
    "subscription_confirmation_message",
    "warn_operation_timeout",
    "middleware",
    "on_connect",
    "on_operation",
}


def check_definition(consumer: type, base: type, *, abstract: bool) -> None:
    """Raise TypeError where `consumer` sets what has no effect, or lacks its schema.

    Args:
        base: the class of ours that it subclasses, which has all attributes as they count.
        abstract: it is only a base of others, and needs no schema.
    """
    name = consumer.__name__
    if not abstract and getattr(consumer, "schema", None) is None:
        raise TypeError(f"{name} needs a schema: set `schema = graphene.Schema(…)`.")
    for attribute, instead in _without_effect(base).items():
        # Of a mixin, too: it is no subclass of `base`.
        if getattr_static(consumer, attribute) is not getattr_static(base, attribute):
            raise TypeError(f"{name}.{attribute} would have no effect: {instead}")


def _without_effect(base: type) -> dict[str, str]:
    """Return what has no effect, with what is told of it: all that the hub replaces, too."""
    replaced = {name for name in vars(GraphqlWsConsumer) if not name.startswith("__")}
    return dict.fromkeys(replaced - COUNTS - vars(base).keys(), "nothing calls it.") | NO_EFFECT
