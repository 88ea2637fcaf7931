"""The app's part of Query."""

from typing import Any

import graphene

from careteam import attendance, selectors
from careteam.models import ChatMessage, Notice
from careteam.rooms import room_named, room_rights
from careteam.schema.ids import key_in
from careteam.schema.pages import page_size
from careteam.schema.types import ChatMessageType, NoticeType
from live.errors import BadInput


class CareTeamQueries(graphene.ObjectType):
    """What can be asked of rooms and notices."""

    history = graphene.List(
        graphene.NonNull(ChatMessageType),
        required=True,
        chatroom=graphene.String(required=True),
        last=graphene.Int(description="How many of the newest; without it, as many as may be."),
        before=graphene.ID(description="Of those older than this message: the page before it."),
        description="The newest messages of a chat room, the oldest of them first.",
    )
    presence = graphene.List(
        graphene.NonNull(graphene.String),
        required=True,
        chatroom=graphene.String(required=True),
        description="The names of those who are present in a chat room (see onPresence).",
    )
    notices = graphene.List(
        graphene.NonNull(NoticeType),
        required=True,
        first=graphene.Int(description="How many; without it, as many as may be."),
        after=graphene.ID(description="Of those that come after this notice: the next page."),
        description="The published notices, the newest first; before them, for those who may "
        "publish, the drafts.",
    )

    @staticmethod
    def resolve_history(
        root: Any,
        info: graphene.ResolveInfo,
        chatroom: str,
        last: int | None = None,
        before: str | None = None,
    ) -> list[ChatMessage]:
        messages = selectors.messages_in(user=info.context.user, chatroom=chatroom)
        key = None if before is None else key_in(before, "ChatMessage")
        return selectors.newest(messages, count=page_size("last", last), before=key)

    @staticmethod
    def resolve_presence(root: Any, info: graphene.ResolveInfo, chatroom: str) -> list[str]:
        room = room_named(chatroom)
        room_rights(info.context.user).require(room.key)
        return attendance.present_in(room.key)

    @staticmethod
    def resolve_notices(
        root: Any, info: graphene.ResolveInfo, first: int | None = None, after: str | None = None
    ) -> list[Notice]:
        visible = selectors.notices_visible(user=info.context.user)
        count = page_size("first", first)
        if after is not None:
            notice = visible.filter(pk=key_in(after, "Notice")).first()
            if notice is None:
                raise BadInput("after is not a notice of this list.")
            visible = selectors.following(visible, notice)
        return list(visible[:count])
