"""What pages say while the database is away, or takes no writes: come back."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from django.views.defaults import server_error

import live.http.views
from live.concurrency import outage
from live.errors import Unavailable, is_unavailable
from live.http import protocol

RETRY_SECONDS = 5


class DatabaseAway(MiddlewareMixin):
    """Answers for views that the database fails."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> Any:
        """Return 503 if the database is the reason; called by Django."""
        return unavailable(request, exception) if is_unavailable(exception) else None


def failed(request: HttpRequest) -> HttpResponse:
    """Answer for whatever else fails, such as middleware that stores the session."""
    error = sys.exc_info()[1]
    if error is not None and is_unavailable(error):
        return unavailable(request, error)
    return server_error(request)


def unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Return 503: a page, or JSON if the client prefers it."""
    outage.database_failed(error)
    accept = request.headers.get("Accept")
    media_type = protocol.negotiate(accept, (protocol.HTML, *protocol.ANSWERS))
    if media_type in protocol.ANSWERS:
        response = live.http.views.respond(protocol.refused([Unavailable()], media_type))
    else:
        response = render(None, "503.html", status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    add_never_cache_headers(response)
    return response
