"""While Redis refuses, attempts to join it leave nothing behind."""

import asyncio
import socket
from types import SimpleNamespace

import pytest
from redis.exceptions import RedisError

from live.log.redis_layer import RedisLayer


@pytest.fixture
def refusing():
    """A layer whose Redis refuses: nobody listens at its port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return RedisLayer(hosts=[f"redis://127.0.0.1:{port}"])


async def test_a_channel_that_could_not_be_made_leaves_no_queue(refusing):
    for _ in range(3):
        with pytest.raises(RedisError):
            await refusing.new_channel("live")
    assert refusing._get_layer().channels == {}


async def test_a_channel_that_could_not_join_a_group_is_gone(refusing):
    inner = refusing._get_layer()
    inner.channels["one"] = asyncio.Queue()
    with pytest.raises(RedisError):
        await refusing.group_add("hubs", "one")
    assert inner.channels == {}
    assert "one" not in {name for members in inner.groups.values() for name in members}


async def test_a_channel_that_could_not_be_made_takes_no_other_with_it(refusing):
    inner = refusing._get_layer()

    async def refuse(channel):
        inner.channels["another"] = asyncio.Queue()  # made meanwhile
        raise RedisError

    inner._get_shard = lambda channel: SimpleNamespace(subscribe=refuse)
    with pytest.raises(RedisError):
        await refusing.new_channel("live")
    assert list(inner.channels) == ["another"]
