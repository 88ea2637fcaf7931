"""What one client may ask of this process, on all its sockets and requests together.

A socket's own bounds are gone with the socket: whoever is thrown out comes back with new
ones. A client is a user, or the address of somebody who is not logged in.
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from live.concurrency.token_bucket import TokenBucket
from live.conf import conf
from live.errors import RateLimited
from live.identity.login_failures import client_address
from live.identity.login_throttle import login_request

# Clients remembered. One that is forgotten starts anew, with full buckets.
MOST_CLIENTS = 10_000
# A document that is refused for its size has cost more than one that runs.
REFUSED_DOCUMENT = 10
# Characters of a document that weigh as much as the document itself.
CHARACTERS = 4096


class Client:
    """One client's buckets."""

    __slots__ = ("_documents", "_requests")

    def __init__(self) -> None:
        self._requests = TokenBucket(
            conf.REQUESTS_PER_SECOND_OF_CLIENT, conf.REQUESTS_AT_ONCE_OF_CLIENT
        )
        self._documents = TokenBucket(conf.NEW_DOCUMENTS_PER_SECOND, conf.NEW_DOCUMENTS_AT_ONCE)

    def asks(self) -> bool:
        """Count an operation or a new connection; return False where it is one too many.

        A pong does not count: a socket that only watches must not end for another's flood.
        """
        return self._requests.take()

    def brings(self, query: str) -> None:
        """Count a document that was not seen before; raise RateLimited where it is too much."""
        if not self._documents.take(1 + len(query) / CHARACTERS):
            raise RateLimited("Too many different documents: use variables.", limit="documents")

    def brought_too_much(self) -> None:
        """Count what a document has cost that went beyond a bound."""
        self._documents.take(REFUSED_DOCUMENT)


_clients: dict[Any, Client] = {}


def client_of(scope: Mapping[str, Any]) -> Client:
    """Return the client behind a socket, by its ASGI scope with `user`."""
    user = scope.get("user")
    if user is not None and user.is_authenticated:
        return _client(user.pk)
    return _client(client_address(login_request(scope)))


def client_of_request(request: HttpRequest) -> Client:
    """Return the client behind an HTTP request: its address, before anybody asks who it is."""
    return _client(client_address(request))


def _client(key: Any) -> Client:
    client = _clients.get(key)
    if client is None:
        if len(_clients) >= MOST_CLIENTS:
            del _clients[next(iter(_clients))]
        client = _clients[key] = Client()
    return client


def forget_all() -> None:
    """Give every client full buckets (for tests)."""
    _clients.clear()
