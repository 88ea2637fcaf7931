"""How many sockets and subscriptions each user has in this process."""

from collections import Counter

from live.conf import conf
from live.errors import RateLimited, TooManySubscriptions

_sockets: Counter[int] = Counter()
_subscriptions: Counter[int] = Counter()


class Quota:
    """One socket's share. Nobody's sockets are counted for themselves only."""

    __slots__ = ("subscriptions", "user_id")

    def __init__(self) -> None:
        self.user_id: int | None = None
        self.subscriptions = 0

    def belongs_to(self, user_id: int | None) -> None:
        """Count the socket, and what it watches, for this user from now on."""
        if user_id != self.user_id:
            self._add(-1, -self.subscriptions)
            self.user_id = user_id
            self._add(1, self.subscriptions)

    def check_sockets(self) -> None:
        """Raise RateLimited where the user has more sockets than it may."""
        if self.user_id is not None and _sockets[self.user_id] > conf.MAX_SOCKETS_PER_USER:
            raise RateLimited(limit="sockets_per_user")

    def started(self) -> None:
        """Count a subscription that begins; raise TooManySubscriptions where it is one too many."""
        if self.subscriptions >= conf.MAX_SUBSCRIPTIONS_PER_SOCKET:
            raise TooManySubscriptions(limit="subscriptions_per_socket")
        most = conf.MAX_SUBSCRIPTIONS_PER_USER
        if self.user_id is not None and _subscriptions[self.user_id] >= most:
            raise TooManySubscriptions(limit="subscriptions_per_user")
        self.subscriptions += 1
        self._add(0, 1)

    def ended(self) -> None:
        """A subscription ended."""
        self.subscriptions -= 1
        self._add(0, -1)

    def _add(self, sockets: int, subscriptions: int) -> None:
        if self.user_id is None:
            return
        for counter, change in ((_sockets, sockets), (_subscriptions, subscriptions)):
            counter[self.user_id] += change
            if not counter[self.user_id]:
                del counter[self.user_id]
