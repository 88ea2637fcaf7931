"""channels_redis' pub/sub layer, mended in three places."""

import asyncio
import logging
import uuid
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisSingleShardConnection
from cryptography.fernet import InvalidToken

from live.concurrency.outage import Outage
from live.log.announcer import HUB_CHANNEL

logger = logging.getLogger(__name__)

_foreign = Outage(
    logger,
    "Redis has a message that our SECRET_KEY does not open; all processes need the same one",
)

# In a hub's queue in place of a message: no message is empty.
_LOST = b""
# Between two attempts to receive.
RETRY_SECONDS = 1


class RedisLayer(RedisPubSubChannelLayer):
    """Forgets a channel that could not be joined, and tells a hub when it hears nothing any more.

    channels_redis makes a channel's queue first and subscribes then. Where Redis refuses, the
    queue stays. A hub tries again twice a second: while Redis was away for a week, a million of
    them. And where the connection is lost later, channels_redis writes a traceback a second, and
    whoever receives is told nothing.
    """

    def _get_layer(self) -> Any:
        layer = super()._get_layer()
        for place, shard in enumerate(layer._shards):
            if not isinstance(shard, _Connection):
                layer._shards[place] = _Connection(shard.host, layer)
        return layer

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Return a new channel's name; raise what Redis raises, and leave nothing behind."""
        layer: Any = self._get_layer()
        # A prefix of its own, by which it is found: others may be made meanwhile.
        own = f"{prefix}{uuid.uuid4().hex}."
        try:
            name: str = await layer.new_channel(own)
        except BaseException:
            for name in [name for name in layer.channels if own in name]:
                del layer.channels[name]
            raise
        return name

    async def group_add(self, group: str, channel: str) -> None:
        """Add `channel` to `group`; where that fails, the channel is gone."""
        layer: Any = self._get_layer()
        try:
            await layer.group_add(group, channel)
        except BaseException:
            layer.channels.pop(channel, None)
            for members in layer.groups.values():
                members.discard(channel)
            raise

    async def receive(self, channel: str) -> Any:
        """Return the channel's next message; raise ConnectionError, to a hub, where Redis is gone.

        The channel is gone then. A message that another key has encrypted, or none, is left out:
        events come by the log.
        """
        while True:
            try:
                message = await self._get_layer().receive(channel)
            except ConnectionError:
                self._get_layer().channels.pop(channel, None)
                raise
            except InvalidToken as error:
                _foreign.failed(error)
            else:
                _foreign.succeeded()
                return message

    def deserialize(self, message: bytes) -> Any:
        """Return the message; raise ConnectionError for what stands for a lost connection."""
        if message == _LOST:
            raise ConnectionError("Redis is gone")
        return super().deserialize(message)


class _Connection(RedisSingleShardConnection):
    """A connection whose loss the hubs learn of.

    Other consumers of the layer go on: redis-py connects again, and subscribes to what it had.
    """

    async def _do_receiving(self) -> None:
        while True:
            try:
                await self._receive_once()
            except Exception:
                self._tell_hubs()
                await asyncio.sleep(RETRY_SECONDS)

    async def _receive_once(self) -> None:
        if self._pubsub and self._pubsub.subscribed:
            message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1)
            self._receive_message(message)
        else:
            await asyncio.sleep(0.1)

    def _tell_hubs(self) -> None:
        own = f"{self.channel_layer.prefix}{HUB_CHANNEL}"
        for name, queue in self.channel_layer.channels.items():
            if name.startswith(own):
                queue.put_nowait(_LOST)
