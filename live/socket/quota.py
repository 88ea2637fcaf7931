"""How many sockets and subscriptions each user has in this process, and a socket operations."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from live.conf import conf
from live.errors import RateLimited, TooManyOperations, TooManySubscriptions

_sockets: Counter[int] = Counter()
_subscriptions: Counter[int] = Counter()


class Quota:
    """One socket's share. An anonymous socket has only its own count."""

    __slots__ = ("_executing", "subscriptions", "user_id")

    def __init__(self) -> None:
        self.user_id: int | None = None
        self.subscriptions = 0
        self._executing = 0

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

    @contextmanager
    def executing(self) -> Iterator[None]:
        """Count a query or mutation while it runs; raise TooManyOperations for one too many."""
        if self._executing >= conf.MAX_OPERATIONS_PER_SOCKET:
            raise TooManyOperations(limit="operations_per_socket")
        self._executing += 1
        try:
            yield
        finally:
            self._executing -= 1

    def _add(self, sockets: int, subscriptions: int) -> None:
        if self.user_id is None:
            return
        for counter, change in ((_sockets, sockets), (_subscriptions, subscriptions)):
            counter[self.user_id] += change
            if not counter[self.user_id]:
                del counter[self.user_id]
