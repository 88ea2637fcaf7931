"""The base class of an application's subscriptions."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import channels_graphql_ws

from live.fanout import send_to_hubs
from live.payload import pack
from live.sending import in_event_loop, send, send_on_commit
from live.threads import in_worker_thread, is_async, reads_memory_only

logger = logging.getLogger(__name__)

# The loop itself holds its tasks weakly: one that nobody awaits could vanish half-way.
_sending: set[asyncio.Task[None]] = set()


class Subscription(channels_graphql_ws.Subscription):
    """A GraphQL subscription, written like a Graphene mutation.

    A subclass defines `publish(payload, info, **arguments)`, which returns the notification
    or None to skip it, and may define

    - `subscribe(root, info, **arguments)`, which returns the names of the groups to join;
    - `unsubscribed(root, info, **arguments)`, called once however the subscription ends;
    - `authorize(root, info, **arguments)`, which raises where the client may not subscribe;
      called before `subscribe`, and again whenever the client's rights may have changed;
    - `audience(info, **arguments)`, a class or static method that returns a hashable value
      holding everything the result depends on about the client. Subscriptions with the
      same document, variables and audience share one run, whose `info.context` has nothing
      but `audience`. Without it, each subscription has a run of its own.

    The first three may be sync, and then run in a worker thread where the ORM may be used,
    or async; `audience` is called on the event loop and must not wait.
    """

    class Meta:
        abstract = True

    audience: Any = None

    @classmethod
    def __init_subclass_with_meta__(cls, **options: Any) -> None:
        authorize = getattr(cls, "authorize", None)
        for hook in ("subscribe", "unsubscribed"):
            options[hook] = _asynchronous(options.get(hook) or getattr(cls, hook, None))
        super().__init_subclass_with_meta__(**options)
        cls._authorize = staticmethod(_asynchronous(authorize)) if authorize else None

    @classmethod
    def broadcast(
        cls, *, group: str | Iterable[str] | None = None, payload: Any = None
    ) -> "asyncio.Task[None] | None":
        """Tell every subscription in `group` of `payload`.

        Args:
            group: a group's name, or several (a subscription in two of them is told once);
                None is every subscription of this class.
            payload: what `live.payload.pack` takes, models included. It is packed now, so
                that later changes to a model in it are not sent.

        From sync code it is sent when the current transaction commits (at once outside one)
        and never if it rolls back. From async code it returns a task to await.

        Raises PayloadError that names what cannot be packed.
        """
        if in_event_loop():
            return _spawn(send_to_hubs(cls._event(group, payload)))
        cls.broadcast_sync(group=group, payload=payload)
        return None

    @classmethod
    def broadcast_sync(
        cls, *, group: str | Iterable[str] | None = None, payload: Any = None
    ) -> None:
        """Broadcast from sync code: on commit. Arguments as `broadcast` has them."""
        send_on_commit(f"A broadcast of {cls.__name__}", cls._event(group, payload))

    @classmethod
    async def broadcast_async(
        cls, *, group: str | Iterable[str] | None = None, payload: Any = None
    ) -> None:
        """Broadcast from async code: at once. Arguments as `broadcast` has them."""
        await send_to_hubs(cls._event(group, payload))

    @classmethod
    def unsubscribe(cls, *, group: str | None = None) -> "asyncio.Task[None] | None":
        """End every subscription in `group` (None: of this class); each client is told.

        From async code it returns a task to await.
        """
        if in_event_loop():
            return _spawn(cls.unsubscribe_async(group=group))
        cls.unsubscribe_sync(group=group)
        return None

    @classmethod
    async def unsubscribe_async(cls, *, group: str | None = None) -> None:
        """End subscriptions, from async code."""
        await send_to_hubs(cls._ending(group))

    @classmethod
    def unsubscribe_sync(cls, *, group: str | None = None) -> None:
        """End subscriptions, from sync code."""
        send(cls._ending(group))

    @classmethod
    def group_names(cls, group: str | Iterable[str] | None) -> list[str]:
        """Return the names under which the hub knows this class's groups."""
        names = [group] if group is None or isinstance(group, str) else group
        return [cls._group_name(name) for name in names]

    @classmethod
    def _ending(cls, group: str | None) -> dict[str, Any]:
        return {"type": "live.unsubscribe", "groups": cls.group_names(group)}

    @classmethod
    def _event(cls, group: str | Iterable[str] | None, payload: Any) -> dict[str, Any]:
        return {"type": "live.event", "groups": cls.group_names(group), "payload": pack(payload)}


def _asynchronous(hook: Any) -> Any:
    if hook is None or is_async(hook):
        return hook
    return _inline(hook) if reads_memory_only(hook) else in_worker_thread(hook)


def _inline(hook: Any) -> Any:
    async def run(*args: Any, **kwargs: Any) -> Any:
        return hook(*args, **kwargs)

    return run


def _spawn(sending: Any) -> "asyncio.Task[None]":
    task = asyncio.get_running_loop().create_task(sending)
    _sending.add(task)
    task.add_done_callback(_sent)
    return task


def _sent(task: "asyncio.Task[None]") -> None:
    _sending.discard(task)
    # Looked at here, since asyncio would log the text, which may quote the payload.
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("A broadcast was not sent: %s", type(error).__name__)
