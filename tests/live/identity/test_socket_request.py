"""The request that stands for a socket."""

from django.contrib.auth.models import AnonymousUser

from live.identity.login_throttle import is_locked_out
from live.identity.socket_request import socket_request


def test_it_has_what_log_ins_need():
    session, user = object(), AnonymousUser()
    request = socket_request(
        {
            "type": "websocket",
            "path": "/graphql/",
            "query_string": b"",
            "headers": [(b"user-agent", b"board/1"), (b"x-forwarded-for", b"198.51.100.1")],
            "client": ("192.0.2.1", 50000),
            "session": session,
            "user": user,
        }
    )
    assert request.META["REMOTE_ADDR"] == "192.0.2.1"
    assert request.META["HTTP_USER_AGENT"] == "board/1"
    assert request.META["HTTP_X_FORWARDED_FOR"] == "198.51.100.1"
    assert request.path == "/graphql/"
    assert request.session is session
    assert request.user is user
    assert not request.POST
    assert not is_locked_out(request)
