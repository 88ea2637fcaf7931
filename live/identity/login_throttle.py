"""Log-ins that failed too often: refused for a while, over HTTP and sockets alike.

django-axes does the counting, in the database and so for all processes; see login_failures.py.
"""

from math import ceil
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import authenticate as django_authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import ngettext

from live.errors import RateLimited, format_error

LOCKED_OUT_TEMPLATE = "registration/locked_out.html"


def authenticate(request: HttpRequest, *, username: str, password: str) -> User | None:
    """Return the user with this name and password; None where there is none.

    Raises RateLimited, with the seconds to wait in `extensions.retryAfter`, after too many
    failures, whether the user exists or not. Over a socket `request` is a `socket_request`.
    Sync: call it from a worker thread.
    """
    if not (_is_text(username) and _is_text(password)):
        return None
    user = django_authenticate(request, username=username, password=password)
    if user is None and is_locked_out(request):
        error = rate_limited(request)
        # Answered: Axes' middleware would put its page in the place of GraphQL's response.
        request.axes_locked_out = False  # type: ignore[attr-defined]
        raise error
    return user


def is_locked_out(request: HttpRequest) -> bool:
    """Tell whether the log-in tried with `request` met a lock, or was the failure that set it."""
    return bool(getattr(request, "axes_locked_out", False))


def seconds_to_wait(request: HttpRequest) -> int:
    """Return the seconds until the log-in that met a lock may be tried again, at least 1."""
    throttle: Any = AxesProxyHandler.get_implementation()
    end = throttle.lock_ends(request, getattr(request, "axes_credentials", None))
    return 1 if end is None else max(1, ceil((end - timezone.now()).total_seconds()))


def rate_limited(request: HttpRequest) -> RateLimited:
    """Return the error for the log-in that met a lock."""
    seconds = seconds_to_wait(request)
    minutes = ceil(seconds / 60)
    text = ngettext(
        "Log-ins failed too often. Try again in %(minutes)d minute.",
        "Log-ins failed too often. Try again in %(minutes)d minutes.",
        minutes,
    )
    extensions = {"retryAfter": seconds}
    return RateLimited(text % {"minutes": minutes}, limit="login_failures", extensions=extensions)


def lockout_response(request: HttpRequest, *_: Any) -> HttpResponse:
    """Return 429 for a log-in form, the admin's too: a page, or JSON for who prefers it.

    Axes' middleware calls it with more, which differs between its sync and async halves; all
    that is needed is on the request.
    """
    error = rate_limited(request)
    extensions = error.extensions or {}
    response: HttpResponse
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        response = JsonResponse({"errors": [format_error(error)]}, status=429)
    else:
        response = render(request, LOCKED_OUT_TEMPLATE, {"message": error.message}, status=429)
    response["Retry-After"] = str(extensions["retryAfter"])
    add_never_cache_headers(response)
    return response


def _is_text(value: str) -> bool:
    """Tell whether `value` can be in a database: no NUL for PostgreSQL, UTF-8 for all."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
