"""How many sockets each user and address has in this process, subscriptions, and operations."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from live.conf import conf
from live.errors import RateLimited, TooManyOperations, TooManySubscriptions

_sockets: Counter[int] = Counter()
_subscriptions: Counter[int] = Counter()
_subscription_bytes: Counter[int] = Counter()
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

    __slots__ = ("_address", "_bytes", "_executing", "_is_counted", "subscriptions", "user_id")

    def __init__(self, address: str = "") -> None:
        self.user_id: int | None = None
        self.subscriptions = self._bytes = 0
        self._address, self._executing, self._is_counted = address, 0, False

    def begin(self) -> None:
        """Count the socket, as nobody's, from when it is accepted."""
        self._is_counted = True
        self._add(1, 0, 0)

    def end(self) -> None:
        """Count the socket no more. Idempotent."""
        self.belongs_to(None)
        if self._is_counted:
            self._add(-1, 0, 0)
            self._is_counted = False

    def belongs_to(self, user_id: int | None) -> None:
        """Count the socket, and what it watches, for this user from now on."""
        if user_id != self.user_id:
            self._add(-1, -self.subscriptions, -self._bytes)
            self.user_id = user_id
            self._add(1, self.subscriptions, self._bytes)

    def check_sockets(self) -> None:
        """Raise RateLimited where the user has more sockets than it may."""
        if self.user_id is not None and _sockets[self.user_id] > conf.MAX_SOCKETS_PER_USER:
            raise RateLimited(limit="sockets_per_user")

    def started(self, size: int = 0) -> None:
        """Count a subscription that begins; raise TooManySubscriptions where it is one too many.

        Args:
            size: bytes of what is kept of its request.
        """
        if self.subscriptions >= conf.MAX_SUBSCRIPTIONS_PER_SOCKET:
            raise TooManySubscriptions(limit="subscriptions_per_socket")
        most = conf.MAX_SUBSCRIPTIONS_PER_USER
        if self.user_id is not None and _subscriptions[self.user_id] >= most:
            raise TooManySubscriptions(limit="subscriptions_per_user")
        kept = self._bytes if self.user_id is None else _subscription_bytes[self.user_id]
        if kept + size > conf.MAX_SUBSCRIPTION_BYTES_PER_USER:
            raise TooManySubscriptions(limit="subscription_bytes_per_user")
        self._count(1, size)

    def ended(self, size: int = 0) -> None:
        """A subscription ended."""
        self._count(-1, -size)

    def _count(self, subscriptions: int, size: int) -> None:
        self.subscriptions += subscriptions
        self._bytes += size
        self._add(0, subscriptions, size)

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

    def _add(self, sockets: int, subscriptions: int, size: int) -> None:
        if self.user_id is None:
            if self._is_counted:
                _change(_anonymous, self._address, sockets)
            return
        _change(_sockets, self.user_id, sockets)
        _change(_subscriptions, self.user_id, subscriptions)
        _change(_subscription_bytes, self.user_id, size)


def _change(counter: Counter[Any], key: Any, change: int) -> None:
    counter[key] += change
    if not counter[key]:
        del counter[key]
