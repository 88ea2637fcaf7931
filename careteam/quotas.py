"""How much a user may write: counted in the database, so for all processes together."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from careteam.conf import conf
from careteam.models import ChatMessage
from live.errors import RateLimited

# All who are not logged in share one count.
ANONYMOUS_TIMES = 10


def check_messages(author: Any) -> None:
    """Raise RateLimited where `author` (None: anybody who is not logged in) wrote too much."""
    most = conf.MESSAGES_PER_MINUTE * (1 if author is not None else ANONYMOUS_TIMES)
    written = _since(author, timedelta(minutes=1))[:most].count()
    if written >= most:
        raise RateLimited("You write too fast: wait a minute.", limit="chat_messages")


def check_new_room(author: Any) -> None:
    """Raise RateLimited where `author` has written in too many rooms today to make one more."""
    rooms = _since(author, timedelta(days=1)).values("room").distinct()
    if rooms.count() >= conf.ROOMS_PER_DAY:
        raise RateLimited("You have made enough rooms for today.", limit="chat_rooms")


def _since(author: Any, age: timedelta) -> Any:
    return ChatMessage.objects.order_by().filter(author=author, sent_at__gt=timezone.now() - age)
