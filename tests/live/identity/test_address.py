"""By which address a client is counted."""

import pytest
from django.test import RequestFactory

from live.identity.address import client_address


def address_of(peer, forwarded=None):
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded is not None else {}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=peer, **headers))


def test_without_a_trusted_proxy_the_header_is_not_believed():
    assert address_of("192.0.2.9", "198.51.100.1") == "192.0.2.9"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the left one is the client's invention
        (2, "1.1.1.1, 198.51.100.1,10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1", "192.0.2.9"),  # it came past one of them
        (1, "unknown", "192.0.2.9"),
        (1, None, "192.0.2.9"),
    ],
)
def test_behind_proxies_the_last_one_outside_counts(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    assert address_of("192.0.2.9", forwarded) == expected


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("2001:db8:0:1234:5678::1", "2001:db8:0:1200::"),
        ("2001:db8:0:12ff::1", "2001:db8:0:1200::"),
        ("2001:db8:0:1300::1", "2001:db8:0:1300::"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("fe80::1%eth0", "fe80::"),
        ("", "0.0.0.0"),
    ],
)
def test_what_is_counted_as_one_address(peer, expected):
    assert address_of(peer) == expected
