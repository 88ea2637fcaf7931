"""How many sockets each user and address has in this process, subscriptions, and operations."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from live.conf import conf
from live.errors import RateLimited, TooManyOperations, TooManySubscriptions

_sockets: Counter[int] = Counter()
_subscriptions: Counter[int] = Counter()
# Of those who are not logged in, by address.
_anonymous: Counter[str] = Counter()


def is_crowded(address: str) -> bool:
    """Whether `address` has as many sockets without a user as it may."""
    return _anonymous[address] >= conf.MAX_ANONYMOUS_SOCKETS_PER_ADDRESS


class Quota:
    """One socket's share.

    Args:
        address: of the client: sockets without a user are counted by it.
    """

    __slots__ = ("_address", "_executing", "_is_counted", "subscriptions", "user_id")

    def __init__(self, address: str = "") -> None:
        self.user_id: int | None = None
        self.subscriptions = 0
        self._address, self._executing, self._is_counted = address, 0, False

    def begin(self) -> None:
        """Count the socket, as nobody's, from when it is accepted."""
        self._is_counted = True
        self._add(1, 0)

    def end(self) -> None:
        """Count the socket no more. Idempotent."""
        self.belongs_to(None)
        if self._is_counted:
            self._add(-1, 0)
            self._is_counted = False

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
            if self._is_counted:
                _change(_anonymous, self._address, sockets)
            return
        for counter, change in ((_sockets, sockets), (_subscriptions, subscriptions)):
            _change(counter, self.user_id, change)


def _change(counter: Counter[Any], key: Any, change: int) -> None:
    counter[key] += change
    if not counter[key]:
        del counter[key]
