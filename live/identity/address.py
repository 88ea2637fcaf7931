"""A client's network address, in the form in which clients are told apart and counted."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# The server listens on a Unix socket and no proxy names the client: all clients are one.
UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  nothing is bound to it

# One customer's line has at least this many IPv6 addresses (RIPE-690, section 4.2): counted
# one by one, each would be a fresh start.
IPV6_PREFIX = 56


def client_address(request: HttpRequest) -> str:
    """Return the client's IPv4 address, or the first address of its IPv6 network.

    Without proxies it is the connection's. Each of TRUSTED_PROXIES proxies appends to
    X-Forwarded-For whom it was called by, so the client is that header's entry so many from
    the right: what stands further left may be the client's invention.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    proxies = settings.TRUSTED_PROXIES
    client = forwarded[-proxies].strip() if 0 < proxies <= len(forwarded) else peer
    return _countable(client) or _countable(peer) or UNKNOWN_ADDRESS


def _countable(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), IPV6_PREFIX), strict=False).network_address)
