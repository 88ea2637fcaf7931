"""What a consumer class lacks, or sets to no effect, is told where it is defined."""

import pytest

from live.socket.consumer import LiveConsumer
from live.socket.definition import COUNTS
from tests.live.stage import Consumer


def test_a_consumer_without_a_schema_is_refused():
    with pytest.raises(TypeError, match="Lacking needs a schema"):
        type("Lacking", (LiveConsumer,), {})

    class Base(LiveConsumer, abstract=True):
        pass

    assert type("Whole", (Base,), {"schema": Consumer.schema}).schema is Consumer.schema


@pytest.mark.parametrize(
    "name",
    [
        "subscription_notification_queue_limit",
        "group_name_prefix",
        "_format_error",
        "encode_json",
        "decode_json",
        "receive_json",
        "send_json",
        "send",
        "groups",
        "channel_layer_alias",
        # The library's own ways, which nothing calls any more.
        "broadcast",
        "unsubscribe",
        "_send_gql_next",
        "_on_gql_subscribe",
    ],
)
def test_what_would_have_no_effect_is_refused_by_name(name):
    with pytest.raises(TypeError, match=f"Odd.{name} would have no effect"):
        type("Odd", (Consumer,), {name: object()})


def test_what_a_mixin_brings_is_refused_too():
    mixin = type("Mixin", (), {"encode_json": None})
    with pytest.raises(TypeError, match=r"Odd\.encode_json would have no effect"):
        type("Odd", (mixin, Consumer), {})


@pytest.mark.parametrize("name", sorted(COUNTS | {"connect", "disconnect", "receive"}))
def test_what_counts_may_be_set(name):
    value = Consumer.schema if name == "schema" else None
    assert getattr(type("Other", (Consumer,), {name: value}), name) is value
