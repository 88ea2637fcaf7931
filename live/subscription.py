"""The base class of an application's subscriptions."""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import channels_graphql_ws
import graphene
from graphene.utils.get_unbound_function import get_unbound_function
from graphene.utils.props import props

from live.concurrency.per_loop import per_loop
from live.concurrency.threads import Pool, in_event_loop, in_worker_thread, is_async
from live.execution.resolvers import from_memory, reads_memory_only
from live.log import records
from live.log.append import send_on_commit, write
from live.log.payload import pack
from live.log.records import Record

logger = logging.getLogger(__name__)

# The loop holds its tasks weakly: one that nobody awaits could be collected half-way.
_sending: set[asyncio.Task[None]] = set()
_order = per_loop(asyncio.Lock)


class Subscription(channels_graphql_ws.Subscription):
    """A GraphQL subscription, written like a Graphene mutation.

    A subclass defines `publish(payload, info, **arguments)`, which returns the notification
    or None to skip it, and may define

    - `subscribe(root, info, **arguments)`, which returns the names of the groups to join;
    - `unsubscribed(root, info, **arguments)`, called once however the subscription ends;
    - `authorize(root, info, **arguments)`, which raises where the client may not subscribe;
      called before `subscribe`, and again whenever the client's rights may have changed. What
      it returns is at hand as `info.context.authorized` in the other hooks;
    - `audience(info, **arguments)`, a class or static method that returns a hashable value
      holding everything the result depends on about the client. Subscriptions with the
      same document, variables and audience share one run, whose `info.context` has nothing
      but `audience`. Without it, each subscription has a run of its own.

    The first three may be sync, and then run in a worker thread where the ORM may be used,
    or async; `audience` is called on the event loop and must not wait.

    - `recall(subjects, forgotten)`, a sync static method that returns what is known now about the
      subjects of events that are replayed (see `broadcast`'s `about`), by subject and without those
      that are gone; of the subjects `forgotten` an event has no payload any more. `publish` finds
      it as `info.context.recalled`, and `info.context.is_replayed` true; its payload is None where
      that was forgotten, and it is not called if the subject is gone, too.

    A durable subscription, as all are by default, gets every event from the log: its type
    has the field `cursor`, and its field takes `after: cursor`, from which it goes on without
    a gap. With `durable = False` events pass the log: at most once, and the newest of them
    where a client is slow (`notification_queue_limit`); for a progress bar.
    """

    class Meta:
        abstract = True

    audience: Any = None
    durable = True

    @classmethod
    def __init_subclass_with_meta__(cls, **options: Any) -> None:
        authorize, recall = getattr(cls, "authorize", None), getattr(cls, "recall", None)
        for hook in ("subscribe", "unsubscribed"):
            options[hook] = _asynchronous(options.get(hook) or getattr(cls, hook, None))
        if cls.durable:
            cls._add_cursor(options)
        super().__init_subclass_with_meta__(**options)
        if not cls.durable:
            cls._drop_cursor()
        cls._authorize = staticmethod(_asynchronous(authorize)) if authorize else None
        cls._recall = staticmethod(in_worker_thread(recall, Pool.LOG)) if recall else None

    @classmethod
    def _add_cursor(cls, options: dict[str, Any]) -> None:
        given = options.get("arguments") or {}
        if not given and hasattr(cls, "Arguments"):
            given = props(cls.Arguments)
        if "after" in given or "cursor" in cls.__dict__:
            raise TypeError(f"{cls.__name__} has an after or cursor: durable ones get theirs")
        after = graphene.String(description="A cursor: begin with the event after it.")
        options["arguments"] = {**given, "after": after}
        publish = options.get("publish") or getattr(cls, "publish", None)
        options["publish"] = publish and _without_after(publish)
        cls.cursor = graphene.String(required=True, description="The place after this event.")

    @classmethod
    def _drop_cursor(cls) -> None:
        """Leave out the field that a durable base has; one of the author's stays."""
        owner = next((base for base in cls.__mro__ if "cursor" in base.__dict__), None)
        if getattr(owner, "durable", False):
            del cls._meta.fields["cursor"]

    @staticmethod
    @from_memory
    def resolve_cursor(root: Any, info: graphene.ResolveInfo) -> str:
        """Return the cursor of the event that is being published.

        Past the log there is none: a field of that name is the author's own.
        """
        cursor: str = info.context.cursor or root.cursor
        return cursor

    @classmethod
    def broadcast(
        cls,
        *,
        group: str | Iterable[str] | None = None,
        payload: Any = None,
        exclude_channel: str | None = None,
        about: str | None = None,
        forget: bool = False,
    ) -> "asyncio.Task[None] | None":
        """Tell every subscription in `group` of `payload`.

        Args:
            group: a group's name, or several (a subscription in two of them is told once);
                None is every subscription of this class.
            payload: what `live.log.payload.pack` takes, models included. It is packed now, so
                that later changes to a model in it are not sent.
            exclude_channel: the socket with this `info.context.channel_name` is not told: the
                one whose mutation it is. Those who share a run go on sharing it. A client that
                comes back has another socket, and is told of what it missed, its own included.
            about: what the event is about, such as "patient:17"; 100 characters at most. By it a
                class's `recall` finds what may be shown of the event when it is replayed.
            forget: whether the former events about that, of whatever class, are forgotten: their
                payloads are taken out of the log in this transaction. For what is deleted, or is
                not to be seen by all who saw it before.

        From sync code it is part of the current transaction: sent when that commits, and
        never if it rolls back; outside one, it is sent at once. From async code it returns
        a task to await.

        Raises PayloadError that names what cannot be packed.
        """
        if in_event_loop():
            # Not by broadcast_async, which would pack when its task begins.
            return _spawn(
                _in_order(cls._send, cls._event(group, payload, exclude_channel, about, forget))
            )
        cls._send(cls._event(group, payload, exclude_channel, about, forget))
        return None

    @classmethod
    def broadcast_sync(
        cls,
        *,
        group: str | Iterable[str] | None = None,
        payload: Any = None,
        exclude_channel: str | None = None,
        about: str | None = None,
        forget: bool = False,
    ) -> None:
        """Broadcast from sync code. Arguments as `broadcast` has them."""
        cls._send(cls._event(group, payload, exclude_channel, about, forget))

    @classmethod
    async def broadcast_async(
        cls,
        *,
        group: str | Iterable[str] | None = None,
        payload: Any = None,
        exclude_channel: str | None = None,
        about: str | None = None,
        forget: bool = False,
    ) -> None:
        """Broadcast from async code: in a transaction of its own, which has committed then."""
        await _in_order(cls._send, cls._event(group, payload, exclude_channel, about, forget))

    @classmethod
    def unsubscribe(cls, *, group: str | None = None) -> "asyncio.Task[None] | None":
        """End every subscription in `group` (None: of this class); each client is told.

        Takes effect when `broadcast` does.
        """
        if in_event_loop():
            return _spawn(cls.unsubscribe_async(group=group))
        cls.unsubscribe_sync(group=group)
        return None

    @classmethod
    async def unsubscribe_async(cls, *, group: str | None = None) -> None:
        """End subscriptions, from async code."""
        await _in_order(cls._send, records.unsubscribe(cls.group_names(group)))

    @classmethod
    def unsubscribe_sync(cls, *, group: str | None = None) -> None:
        """End subscriptions, from sync code."""
        cls._send(records.unsubscribe(cls.group_names(group)))

    @classmethod
    def group_names(cls, group: str | Iterable[str] | None) -> list[str]:
        """Return the names under which the hub knows this class's groups."""
        names = [group] if group is None or isinstance(group, str) else group
        own = f"{cls.__module__}.{cls.__qualname__}"
        return [own if name is None else f"{own}-{name}" for name in names]

    @classmethod
    def _event(
        cls,
        group: str | Iterable[str] | None,
        payload: Any,
        exclude_channel: str | None,
        about: str | None,
        forget: bool,
    ) -> Record:
        if forget and about is None:
            raise ValueError("broadcast: forget needs about, whose former events are forgotten")
        names, packed = cls.group_names(group), pack(payload)
        return records.event(names, packed, exclude_channel, about=about, forgets=forget)

    @classmethod
    def _send(cls, record: Record) -> None:
        if cls.durable:
            write(record)
        else:
            send_on_commit(record)


def _without_after(publish: Any) -> Any:
    """Return the hook `publish`, which need not know of `after`."""
    function = get_unbound_function(publish)

    @functools.wraps(function)
    def run(payload: Any, info: Any, after: str | None = None, **arguments: Any) -> Any:
        return function(payload, info, **arguments)

    @functools.wraps(function)
    async def run_async(payload: Any, info: Any, after: str | None = None, **args: Any) -> Any:
        return await function(payload, info, **args)

    return run_async if is_async(function) else run


async def _in_order(send: Callable[[Record], None], record: Record) -> None:
    # Worker threads finish in any order; what was begun first is to be first in the log.
    async with _order():
        await in_worker_thread(send)(record)


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
