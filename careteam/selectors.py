"""Reads: who may see what."""

from typing import Any

from django.db.models import Q, QuerySet

from careteam.models import ChatMessage, Notice
from careteam.rooms import room_named, room_rights
from live.auth import require_login, require_permission
from live.errors import Forbidden

VIEW_NOTICE = "careteam.view_notice"
PUBLISH_NOTICE = "careteam.publish_notice"

# ---- chat


def messages_in(*, user: Any, chatroom: str) -> QuerySet[ChatMessage]:
    """Return the messages of a room, oldest first; none where nobody ever wrote there.

    Raises BadInput for what is no room's name, Unauthenticated or Forbidden where `user` may
    not read the room.
    """
    room = room_named(chatroom)
    room_rights(user).require(room.key)
    return ChatMessage.objects.select_related("room").filter(room__key=room.key)


def newest(
    messages: QuerySet[ChatMessage], *, count: int, before: int | None = None
) -> list[ChatMessage]:
    """Return the newest `count` messages, oldest first; older than the one with key `before`."""
    if before is not None:
        messages = messages.filter(pk__lt=before)
    return list(messages.order_by("-id")[:count])[::-1]


def message_visible(*, user: Any, pk: int) -> ChatMessage | None:
    """Return one message that `user` may see, None where there is no such message."""
    message = ChatMessage.objects.select_related("room").filter(pk=pk).first()
    if message is None or not room_rights(user).may_use(message.room.key):
        return None
    return message


# ---- notices


def may_view_notices(user: Any) -> bool:
    """Whether `user` may see the published notices."""
    return bool(user.has_perm(VIEW_NOTICE))


def may_publish(user: Any) -> bool:
    """Whether `user` may publish notices: staff with the permissions to see and to publish."""
    return bool(user.is_active and user.is_staff) and user.has_perms([VIEW_NOTICE, PUBLISH_NOTICE])


def require_publisher(user: Any) -> None:
    """Raise Unauthenticated or Forbidden unless `user` may publish notices."""
    require_login(user)
    if not may_publish(user):
        raise Forbidden()


def notices_visible(*, user: Any) -> QuerySet[Notice]:
    """Return the notices that `user` may see: the published ones, and for publishers drafts.

    Raises Unauthenticated or Forbidden where the user may see none.
    """
    require_permission(user, VIEW_NOTICE)
    notices = Notice.objects.select_related("author")
    return notices if may_publish(user) else notices.filter(published_at__isnull=False)


def notice_visible(*, user: Any, pk: int) -> Notice | None:
    """Return one notice that `user` may see, None where there is no such notice."""
    return notices_visible(user=user).filter(pk=pk).first()


def following(notices: QuerySet[Notice], notice: Notice) -> QuerySet[Notice]:
    """Return those of `notices` that come after `notice` in their order."""
    if notice.published_at is None:
        return notices.filter(Q(published_at=None, pk__lt=notice.pk) | ~Q(published_at=None))
    same = Q(published_at=notice.published_at, pk__lt=notice.pk)
    return notices.filter(Q(published_at__lt=notice.published_at) | same)
