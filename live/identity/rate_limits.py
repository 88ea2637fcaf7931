"""Rate limits of one client, for all its sockets and requests in this process.

A socket's own limits end with the socket: a client that was closed would connect again with
new ones. A client is a user, or the address of somebody who is not logged in.
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from live.concurrency.fair_share import Shares
from live.concurrency.token_bucket import TokenBucket
from live.conf import conf
from live.errors import RateLimited
from live.identity.address import client_address
from live.identity.socket_request import socket_request

# Beyond so many, the oldest is forgotten; it starts anew with full buckets.
MOST_CLIENTS = 10_000
# What a document that exceeds a limit costs more than one that runs, in documents.
REFUSED_DOCUMENT = 10
# So many characters cost as much as one more document.
CHARACTERS = 4096


class Client:
    """One client's buckets, and its shares of the worker threads."""

    __slots__ = ("_documents", "_requests", "shares")

    def __init__(self) -> None:
        self._requests = TokenBucket(
            conf.REQUESTS_PER_SECOND_OF_CLIENT, conf.REQUESTS_AT_ONCE_OF_CLIENT
        )
        self._documents = TokenBucket(conf.NEW_DOCUMENTS_PER_SECOND, conf.NEW_DOCUMENTS_AT_ONCE)
        # Of the worker threads.
        self.shares = Shares()

    def allow_request(self) -> bool:
        """Count an operation or a new connection; return False where it is one too many.

        A pong is not counted: a socket that only watches must not end for another's flood.
        """
        return self._requests.take()

    def charge_requests(self, count: int) -> None:
        """Count more of an operation's requests; raise RateLimited where they are too many."""
        if count > 0 and not self._requests.take(count):
            raise RateLimited(limit="requests_of_client")

    def charge_document(self, query: str) -> None:
        """Count a document that was not seen before; raise RateLimited where it is one too many."""
        if not self._documents.take(1 + len(query) / CHARACTERS):
            raise RateLimited("Too many different documents: use variables.", limit="documents")

    def charge_refused_document(self) -> None:
        """Count the extra cost of a document that exceeded a limit."""
        self._documents.take(REFUSED_DOCUMENT)


_clients: dict[Any, Client] = {}


def client_of(scope: Mapping[str, Any]) -> Client:
    """Return the client behind a socket, by its ASGI scope, which has the `user`."""
    user = scope.get("user")
    if user is not None and user.is_authenticated:
        return _client(user.pk)
    return _client(address_of(scope))


def address_of(scope: Mapping[str, Any]) -> str:
    """Return the address of a socket's client, by its ASGI scope."""
    return client_address(socket_request(scope))


def client_of_request(request: HttpRequest) -> Client:
    """Return the client behind an HTTP request, by its address: its user is not known yet."""
    return _client(client_address(request))


def client_of_user(user: Any, request: HttpRequest) -> Client:
    """Return the client behind an HTTP request whose user is known."""
    return _client(user.pk) if user.is_authenticated else client_of_request(request)


def _client(key: Any) -> Client:
    client = _clients.get(key)
    if client is None:
        if len(_clients) >= MOST_CLIENTS:
            del _clients[next(iter(_clients))]
        client = _clients[key] = Client()
    return client


def reset() -> None:
    """Give every client full buckets (for tests)."""
    _clients.clear()
