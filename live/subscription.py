"""The base class of an application's subscriptions."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import channels_graphql_ws
from asgiref.sync import async_to_sync
from channels_graphql_ws.serializer import Serializer
from django.db import transaction

from live.threads import in_worker_thread, is_async

logger = logging.getLogger(__name__)

# The loop itself holds its tasks weakly: one that nobody awaits could vanish half-way.
_broadcasts: set[asyncio.Task[None]] = set()


class Subscription(channels_graphql_ws.Subscription):
    """A GraphQL subscription, written like a Graphene mutation.

    A subclass defines `publish(payload, info, **arguments)`, which returns the notification
    or None to skip it, and may define `subscribe(root, info, **arguments)`, which returns
    the names of the groups to join, and `unsubscribed(root, info, **arguments)`. Each may
    be sync, and then runs in a worker thread where the ORM may be used, or async.
    """

    class Meta:
        abstract = True

    @classmethod
    def __init_subclass_with_meta__(cls, **options: Any) -> None:
        for hook in ("subscribe", "unsubscribed"):
            function = options.get(hook) or getattr(cls, hook, None)
            if function is not None and not is_async(function):
                function = in_worker_thread(function)
            options[hook] = function
        super().__init_subclass_with_meta__(**options)

    @classmethod
    def broadcast(
        cls, *, group: str | Iterable[str] | None = None, payload: Any = None
    ) -> "asyncio.Task[None] | None":
        """Tell every subscription in `group` of `payload`.

        Args:
            group: a group's name, or several; None is every subscription of this class.
            payload: what MessagePack can hold, plus Django models, dates and times; it is
                packed now, so later changes to a model in it are not sent.

        From sync code it is sent when the current transaction commits (at once outside one)
        and never if it rolls back. From async code it returns a task to await.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return cls.broadcast_sync(group=group, payload=payload)
        task = loop.create_task(cls.broadcast_async(group=group, payload=payload))
        _broadcasts.add(task)
        task.add_done_callback(_broadcasts.discard)
        return task

    @classmethod
    def broadcast_sync(
        cls, *, group: str | Iterable[str] | None = None, payload: Any = None
    ) -> None:
        """Broadcast from sync code: on commit. Arguments as `broadcast` has them."""
        messages = cls._messages(group, Serializer.serialize(payload))
        transaction.on_commit(lambda: cls._send_committed(messages))

    @classmethod
    async def broadcast_async(
        cls, *, group: str | Iterable[str] | None = None, payload: Any = None
    ) -> None:
        """Broadcast from async code: at once. Arguments as `broadcast` has them."""
        packed = await in_worker_thread(Serializer.serialize)(payload)
        await cls._send(cls._messages(group, packed))

    @classmethod
    def _messages(cls, group: str | Iterable[str] | None, packed: bytes) -> list[dict[str, Any]]:
        names = [group] if group is None or isinstance(group, str) else list(group)
        return [
            {"type": "broadcast", "group": cls._group_name(name), "payload": packed}
            for name in names
        ]

    @classmethod
    async def _send(cls, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            await cls._channel_layer().group_send(message["group"], message)

    @classmethod
    def _send_committed(cls, messages: list[dict[str, Any]]) -> None:
        try:
            async_to_sync(cls._send)(messages)
        except Exception as error:
            # The write is committed: failing its caller now would tell them it was not.
            # The error's text may quote the payload, so only its type is logged.
            logger.error("A broadcast of %s was not sent: %s", cls.__name__, type(error).__name__)
