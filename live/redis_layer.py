"""channels_redis' pub/sub layer, which keeps nothing of a channel that could not be joined."""

from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer


class RedisLayer(RedisPubSubChannelLayer):
    """Mends one thing: channels_redis makes a channel's queue first and subscribes then.

    Where Redis refuses, the queue stays. A hub tries again twice a second: while Redis was away
    for a week, a million of them.
    """

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Return a new channel's name; raise what Redis raises, and leave nothing behind."""
        channels = self._get_layer().channels
        before = set(channels)
        try:
            name: str = await self._get_layer().new_channel(prefix)
        except BaseException:
            for name in channels.keys() - before:
                del channels[name]
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
