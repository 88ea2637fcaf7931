"""A page of another origin opens no socket; what is no browser does."""

import pytest

from live.socket.origin import OriginGuard, is_allowed


@pytest.fixture(autouse=True)
def _hosts(settings):
    settings.ALLOWED_HOSTS = ["wards.example", "[::1]", "localhost"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://board.example"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "wards.example"),
        (None, "localhost:8000"),
        ("https://wards.example", "wards.example"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://board.example", "wards.example"),
    ],
)
def test_own_and_trusted_pages_pass_and_so_does_no_browser(origin, host):
    assert is_allowed(origin=origin, host=host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "wards.example"),
        ("https://wards.example.evil.example", "wards.example"),
        ("https://evil.example/wards.example", "wards.example"),
        ("https://wards.example@evil.example", "wards.example"),
        ("http://localhost:9000", "localhost:8000"),
        ("https://sub.board.example", "wards.example"),
        ("null", "wards.example"),
        ("", "wards.example"),
        # Re-bound to this machine's address: both names are foreign.
        ("https://evil.example", "evil.example"),
        (None, "evil.example"),
        (None, ""),
        ("null", ""),
        # What cannot be read is foreign, and no failure.
        (None, "["),
        ("http://[", "wards.example"),
        ("https://wards.example:port", "wards.example"),
        (None, "wards.example:port]"),
    ],
)
def test_foreign_and_unreadable_names_are_refused(origin, host):
    assert not is_allowed(origin=origin, host=host)


async def handshake(headers):
    """Return what the guard did: "passed", or the messages it sent."""
    sent = []
    received = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}])

    async def application(scope, receive, send):
        sent.append("passed")

    async def receive():
        return next(received)

    async def send(message):
        sent.append(message)

    await OriginGuard(application)({"type": "websocket", "headers": headers}, receive, send)
    return sent


async def test_the_guard_lets_through_what_is_allowed():
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    assert await handshake(headers) == ["passed"]


async def test_the_guard_refuses_before_the_socket_is_accepted():
    headers = [(b"host", b"localhost"), (b"origin", b"https://evil.example")]
    sent = await handshake(headers)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize(("tls_only", "allowed"), [(True, False), (False, True)])
def test_a_page_without_tls_is_foreign_to_a_site_with_it(settings, tls_only, allowed):
    settings.SECURE_SSL_REDIRECT = tls_only
    assert is_allowed(origin="http://wards.example", host="wards.example") is allowed
    assert is_allowed(origin="https://wards.example", host="wards.example")
