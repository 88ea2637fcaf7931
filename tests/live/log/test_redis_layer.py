"""While Redis refuses, attempts to join it leave nothing behind."""

import asyncio
import socket
from types import SimpleNamespace

import pytest
from redis.exceptions import RedisError

from live.log.redis_layer import RedisLayer
from tests.conftest import require_program
from tests.e2e.services import redis_server

SECONDS = 20


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


async def test_what_another_key_has_encrypted_is_left_out_and_said_once(caplog):
    """Such as a process with another SECRET_KEY, or somebody who writes to Redis."""
    with redis_server(require_program("redis-server", "redis-server")) as url:
        ours = RedisLayer(hosts=[url], symmetric_encryption_keys=["new", "former"])
        channel = await ours.new_channel("live")
        await ours.group_add("hubs", channel)
        for keys in (None, ["foreign"], ["foreign"]):
            foreign = RedisLayer(hosts=[url], symmetric_encryption_keys=keys)
            await foreign.group_send("hubs", {"type": "forged"})
        former = RedisLayer(hosts=[url], symmetric_encryption_keys=["former"])
        await former.group_send("hubs", {"type": "ours"})
        async with asyncio.timeout(SECONDS):
            assert await ours.receive(channel) == {"type": "ours"}
    [line] = [m for m in caplog.messages if "SECRET_KEY" in m]
    assert line.startswith("Redis has a message that our SECRET_KEY does not open")
