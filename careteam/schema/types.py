"""GraphQL's view of the app's models."""

import graphene
from graphene_django import DjangoObjectType

from careteam import selectors
from careteam.models import ChatMessage, Notice
from careteam.schema.ids import node_key
from live.execution.resolvers import from_memory


class ChatMessageType(DjangoObjectType):
    """What somebody wrote in a chat room."""

    chatroom = graphene.String(required=True)

    class Meta:
        model = ChatMessage
        name = "ChatMessage"
        interfaces = (graphene.relay.Node,)
        fields = ("text", "sender", "sent_at")

    @staticmethod
    @from_memory
    def resolve_id(root: ChatMessage, info: graphene.ResolveInfo) -> int | None:
        return root.pk

    @staticmethod
    @from_memory
    def resolve_chatroom(root: ChatMessage, info: graphene.ResolveInfo) -> str:
        return root.room.name  # read along by every selector

    @classmethod
    def get_node(cls, info: graphene.ResolveInfo, id: str) -> ChatMessage | None:
        """Return the message with primary key `id`, None where the user may see no such one."""
        key = node_key(id)
        user = info.context.user
        return None if key is None else selectors.message_visible(user=user, pk=key)


class NoticeType(DjangoObjectType):
    """What staff tell everybody; without a time of publication it is a draft."""

    author = graphene.String(description="A user name; null for one who is no user any more.")

    class Meta:
        model = Notice
        name = "Notice"
        interfaces = (graphene.relay.Node,)
        fields = ("title", "body", "published_at")

    @staticmethod
    @from_memory
    def resolve_id(root: Notice, info: graphene.ResolveInfo) -> int | None:
        return root.pk

    @staticmethod
    def resolve_author(root: Notice, info: graphene.ResolveInfo) -> str | None:
        return root.author.get_username() if root.author else None

    @classmethod
    def get_node(cls, info: graphene.ResolveInfo, id: str) -> Notice | None:
        """Return the notice with primary key `id`, None where the user may see no such one."""
        key = node_key(id)
        user = info.context.user
        return None if key is None else selectors.notice_visible(user=user, pk=key)
