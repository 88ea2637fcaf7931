"""Writes."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from careteam import quotas
from careteam.announcements import announce_published
from careteam.conf import conf
from careteam.models import ChatMessage, Notice, Room
from careteam.people import name_of
from careteam.rooms import room_named, room_rights
from careteam.text import BadText, room_key, tidy_text
from live import history
from live.errors import BadInput
from live.history import Author
from live.identity.revocation import rights_changed


@transaction.atomic
def message_send(
    *, user: Any, chatroom: str, text: str, channel_name: str | None = None
) -> ChatMessage:
    """Store what `user` writes in a room, which is made if need be; its readers are told.

    Args:
        channel_name: of the socket it came by (`info.context.channel_name`), which is not
            told; None has everybody told.

    Raises BadInput that names the argument, Unauthenticated or Forbidden where the user may
    not write there, and RateLimited where they have written too much.
    """
    named = room_named(chatroom)
    room_rights(user).require(named.key)
    try:
        text = tidy_text(text, conf.MAX_TEXT_LENGTH)
    except BadText as error:
        raise BadInput(f"text {error}") from None
    author = user if user.is_authenticated else None
    quotas.check_messages(author)
    if not Room.objects.filter(key=named.key).exists():
        quotas.check_new_room(author)
    room, _ = Room.objects.get_or_create(key=named.key, defaults={"name": named.name})
    message = ChatMessage(room=room, author=author, sender=name_of(user), text=text)
    message.channel_name = channel_name
    message.save()
    return message


@transaction.atomic
def rooms_close(*, names: Iterable[str], but: Iterable[str] = ()) -> None:
    """Close the rooms of these names to everybody but superusers; on commit, all look again.

    Not those of the names `but`, in whatever spelling.

    For what rooms are named after: once it has gone, nobody knows who may read them.
    """
    keys = {room_key(name) for name in names} - {room_key(name) for name in but}
    if Room.objects.filter(key__in=keys, closed=False).update(closed=True):
        rights_changed(None)


@transaction.atomic
def notice_publish(*, notice: Notice, author: Author | None = None) -> bool:
    """Publish a notice, and tell everybody; return False, having done neither, if it was before.

    Of two who publish at once one does: the database takes the second update for none.

    Args:
        author: who does it, for the notice's history; None: the caller writes that itself.
    """
    draft = Notice.objects.filter(pk=notice.pk, published_at=None)
    now = timezone.now()
    if not draft.update(published_at=now):
        notice.refresh_from_db()
        return False
    notice.refresh_from_db()
    if author is not None:
        history.write([history.changed(author, notice, ["published_at"])])
    announce_published(notice)
    return True
