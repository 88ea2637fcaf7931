"""A Django request that stands for a socket, for code that knows only requests."""

import io
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest


def socket_request(scope: Mapping[str, Any]) -> HttpRequest:
    """Return a request with the address, headers, session and user of an ASGI `scope`; no body.

    Django's own login() and logout() take it, so that receivers of their signals serve sockets
    too. Make a new one for each log-in: Axes keeps the time of the attempt on it.
    """
    request = ASGIRequest({**scope, "method": "POST"}, io.BytesIO())
    if "session" in scope:
        request.session = scope["session"]
    request.user = scope.get("user") or AnonymousUser()
    return request
