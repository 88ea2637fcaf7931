"""Receives what processes announce by the channel layer, which may lose messages."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from channels.layers import get_channel_layer

from live import metrics
from live.concurrency import outage
from live.log import records
from live.log.announcements import Announcement, LogGrew
from live.log.announcer import HUB_CHANNEL, HUB_GROUP
from live.log.records import Record

logger = logging.getLogger(__name__)

# Seconds that joining a channel layer, or leaving it, may take.
JOIN_SECONDS = 2


class Listener:
    """Reads the one channel-layer group that all processes join.

    Args:
        follow: takes a message about the log.
        pass_on: takes a record that passes the log.
    """

    def __init__(
        self,
        follow: Callable[[LogGrew], Awaitable[None]],
        pass_on: Callable[[Record], None],
    ) -> None:
        self._follow, self._pass_on = follow, pass_on
        # Set when joining the channel layer has succeeded or failed.
        self.has_tried = asyncio.Event()

    async def listen(self) -> None:
        """Listen until cancelled, whatever happens to the channel layer."""
        while True:
            try:
                await self._join_and_read()
            except Exception as error:
                outage.channel_layer.failed(error, "listening")
            metrics.layer_up.set(0)
            self.has_tried.set()
            await asyncio.sleep(outage.RETRY_SECONDS)

    async def _join_and_read(self) -> None:
        layer = get_channel_layer()
        # A broker that hangs gives no answer, not even an error.
        async with asyncio.timeout(JOIN_SECONDS):
            channel = await layer.new_channel(HUB_CHANNEL)
            await layer.group_add(HUB_GROUP, channel)
        try:
            self.has_tried.set()
            metrics.layer_up.set(1)
            outage.channel_layer.succeeded()
            while True:
                await self.hear(await layer.receive(channel))
                # A layer that holds a burst returns without waiting: the loop would never turn.
                await asyncio.sleep(0)
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(JOIN_SECONDS):
                    await layer.group_discard(HUB_GROUP, channel)

    async def hear(self, message: Announcement) -> None:
        """Handle one message of the group; a bad one harms no other."""
        try:
            if message["type"] == "live.log":
                await self._follow(message)
            else:
                self._pass_on(records.unpack(message["record"]))
        except Exception as error:
            # The message may quote a patient: its text is not logged.
            logger.error("A broadcast was not understood: %s", type(error).__name__)
