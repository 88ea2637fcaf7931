"""Settings of the library's server: the project's, with Channels' own in-memory layer."""

from server.settings import *  # noqa: F403
from server.settings import CHANNEL_LAYERS, REDIS_URL

if not REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            # The library loses notifications where a channel is full; this is about cost.
            "CONFIG": {"capacity": 100_000},
        }
    }
