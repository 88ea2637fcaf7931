"""The app's part of Subscription."""

import enum
from typing import Any

import graphene
from graphql_relay import to_global_id

from careteam import attendance, selectors
from careteam.lease import current_lease
from careteam.models import ChatMessage
from careteam.people import name_of, person_of
from careteam.rooms import RoomRights, cached_room_rights, room_named
from live.auth import require_login
from live.errors import Forbidden
from live.execution.resolvers import from_memory
from live.identity.rights_cache import cached_rights
from live.subscription import Subscription

# The group of those who watch all rooms; a subscription is in this one or in its room's.
ALL_ROOMS = "all"


def room_group(key: str) -> str:
    """Return the group of those who watch the room with this key."""
    return f"room:{key}"


def subject_of(pk: int) -> str:
    """Return what the log's event about one message is found by."""
    return f"message:{pk}"


class OnNewChatMessage(Subscription):
    """Somebody wrote in a chat room; whoever did is not told on the socket that they used."""

    id = graphene.ID(required=True, description="The message's, for `node` and `history`.")
    chatroom = graphene.String(required=True)
    sender = graphene.String(required=True)
    text = graphene.String(required=True)
    sent_at = graphene.DateTime(required=True)

    class Arguments:
        chatroom = graphene.String(description="Without it: all rooms that the client may read.")

    @staticmethod
    async def authorize(
        root: Any, info: graphene.ResolveInfo, chatroom: str | None = None
    ) -> RoomRights:
        rights = await cached_room_rights(info.context.user)
        if chatroom is None:
            rights.require_any()
        else:
            rights.require(room_named(chatroom).key)
        return rights

    @staticmethod
    def audience(info: graphene.ResolveInfo, chatroom: str | None = None) -> RoomRights | None:
        # One room: only those subscribe to it who may read it.
        return info.context.authorized if chatroom is None else None

    @staticmethod
    @from_memory
    def subscribe(root: Any, info: graphene.ResolveInfo, chatroom: str | None = None) -> list[str]:
        return [ALL_ROOMS if chatroom is None else room_group(room_named(chatroom).key)]

    @staticmethod
    def recall(subjects: frozenset[str], forgotten: frozenset[str]) -> dict[str, bool]:
        """Return those messages that are still there."""
        pks = [int(subject.partition(":")[2]) for subject in subjects]
        there = ChatMessage.objects.filter(pk__in=pks).values_list("pk", flat=True)
        return {subject_of(pk): True for pk in there}

    @staticmethod
    @from_memory
    def publish(
        payload: dict[str, Any] | None, info: graphene.ResolveInfo, chatroom: str | None = None
    ) -> "OnNewChatMessage | None":
        if payload is None or (info.context.is_replayed and not info.context.recalled):
            return None  # deleted
        rights = info.context.audience
        message, room = payload["message"], payload["room"]
        if rights is not None and not rights.may_use(room.key):
            return None
        return OnNewChatMessage(
            id=to_global_id("ChatMessage", message.pk),
            chatroom=room.name,
            sender=message.sender,
            text=message.text,
            sent_at=message.sent_at,
        )


class PresenceChange(enum.Enum):
    """What somebody did."""

    JOINED = attendance.JOINED
    LEFT = attendance.LEFT


PresenceChangeEnum = graphene.Enum.from_enum(PresenceChange, name="PresenceChange")


class OnPresence(Subscription):
    """Somebody came into a chat room, or went; the subscriber is present while it runs.

    Who subscribes asks for `presence` then, to know who was there before. Whether they are told
    of their own coming depends on what is faster.
    """

    # A missed one does not matter: the next has the whole list.
    durable = False
    notification_queue_limit = 100

    room: str

    change = graphene.Field(PresenceChangeEnum, required=True)
    participant = graphene.String(required=True, description="The name of who came or went.")
    present = graphene.List(
        graphene.NonNull(graphene.String),
        required=True,
        description="The names of those present now, sorted.",
    )

    class Arguments:
        chatroom = graphene.String(required=True)

    @staticmethod
    async def authorize(root: Any, info: graphene.ResolveInfo, chatroom: str) -> None:
        rights = await cached_room_rights(info.context.user)
        rights.require(room_named(chatroom).key)
        if current_lease().person(info.context) not in (None, person_of(info.context)):
            raise Forbidden("Somebody else is logged in now: subscribe anew.")

    @staticmethod
    def audience(info: graphene.ResolveInfo, chatroom: str) -> str:
        return "everyone"

    @staticmethod
    async def subscribe(root: Any, info: graphene.ResolveInfo, chatroom: str) -> list[str]:
        key, context = room_named(chatroom).key, info.context
        await current_lease().take(
            context, room=key, person=person_of(context), name=name_of(context.user)
        )
        return [room_group(key)]

    @staticmethod
    @from_memory
    def publish(payload: dict[str, Any], info: graphene.ResolveInfo, chatroom: str) -> "OnPresence":
        change = PresenceChange(payload["change"])
        notification = OnPresence(change=change, participant=payload["name"])
        notification.room = payload["room"]  # for `present`, if that is asked for
        return notification

    @staticmethod
    def resolve_present(root: "OnPresence", info: graphene.ResolveInfo) -> list[str]:
        # Now, not when it happened: events of two processes may overtake each other.
        return attendance.present_in(root.room)

    @staticmethod
    async def unsubscribed(root: Any, info: graphene.ResolveInfo, chatroom: str) -> None:
        await current_lease().leave(info.context)


class OnNoticePublished(Subscription):
    """A notice was published."""

    id = graphene.ID(required=True, description="The notice's.")
    title = graphene.String(required=True)
    body = graphene.String(required=True)
    published_at = graphene.DateTime(required=True)

    @staticmethod
    async def authorize(root: Any, info: graphene.ResolveInfo) -> None:
        user = info.context.user
        require_login(user)
        if not await cached_rights(user, selectors.may_view_notices):
            raise Forbidden()

    @staticmethod
    def audience(info: graphene.ResolveInfo) -> str:
        return "everyone"

    @staticmethod
    @from_memory
    def publish(payload: dict[str, Any], info: graphene.ResolveInfo) -> "OnNoticePublished":
        notice = payload["notice"]
        return OnNoticePublished(
            id=to_global_id("Notice", notice.pk),
            title=notice.title,
            body=notice.body,
            published_at=notice.published_at,
        )


class CareTeamSubscriptions(graphene.ObjectType):
    """What can be watched of rooms and notices."""

    on_new_chat_message = OnNewChatMessage.Field()
    on_presence = OnPresence.Field()
    on_notice_published = OnNoticePublished.Field()
