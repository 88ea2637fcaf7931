"""What a consumer class may set: looked at where it is defined, not where it would be missed."""

from inspect import getattr_static
from typing import Any

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
    for attribute, instead in NO_EFFECT.items():
        # Of a mixin, too: it is no subclass of `base`.
        if getattr_static(consumer, attribute) is not getattr_static(base, attribute):
            raise TypeError(f"{name}.{attribute} would have no effect: {instead}")
