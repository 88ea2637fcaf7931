"""The app's part of Mutation."""

from typing import Any

import graphene

from careteam import selectors, services
from careteam.schema.ids import key_in
from careteam.schema.types import NoticeType
from live.errors import NotFound
from live.history import author_of


class SendChatMessagePayload(graphene.Mutation):
    """Write in a chat room, which is made if need be; those who watch it are told.

    All but the socket that the message came by, which knows.
    """

    ok = graphene.Boolean(required=True)

    class Arguments:
        chatroom = graphene.String(required=True)
        text = graphene.String(required=True)

    @staticmethod
    def mutate(
        root: Any, info: graphene.ResolveInfo, chatroom: str, text: str
    ) -> "SendChatMessagePayload":
        services.message_send(
            user=info.context.user,
            chatroom=chatroom,
            text=text,
            channel_name=info.context.channel_name,
        )
        return SendChatMessagePayload(ok=True)


class PublishNoticePayload(graphene.Mutation):
    """Publish a notice, and tell everybody; once: again, it changes nothing and tells nobody."""

    notice = graphene.Field(NoticeType, required=True)

    class Arguments:
        id = graphene.ID(required=True)

    @staticmethod
    def mutate(root: Any, info: graphene.ResolveInfo, id: str) -> "PublishNoticePayload":
        user = info.context.user
        selectors.require_publisher(user)
        notice = selectors.notice_visible(user=user, pk=key_in(id, "Notice"))
        if notice is None:
            raise NotFound("There is no such notice.")
        services.notice_publish(notice=notice, author=author_of(info.context))
        return PublishNoticePayload(notice=notice)


class CareTeamMutations(graphene.ObjectType):
    """What can be done in rooms and with notices."""

    send_chat_message = SendChatMessagePayload.Field()
    publish_notice = PublishNoticePayload.Field()
