"""Refuses log-ins for a while after too many failures, over HTTP and sockets alike.

django-axes counts them in the database, so for all processes; see login_failures.py.
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
    """Return the user with this name and password, None for wrong ones.

    Raises RateLimited, with the seconds to wait in `extensions.retryAfter`, after too many
    failures, whether the user exists or not. Over a socket `request` is a `socket_request`.
    Sync: call it from a worker thread.
    """
    if not (_is_text(username) and _is_text(password)):
        return None
    user = django_authenticate(request, username=username, password=password)
    if user is None and is_locked_out(request):
        error = rate_limited(request)
        # Otherwise Axes' middleware would replace GraphQL's response by its page.
        request.axes_locked_out = False  # type: ignore[attr-defined]
        raise error
    return user


def is_locked_out(request: HttpRequest) -> bool:
    """Whether the log-in of `request` was refused by a lock, or was the failure that set it."""
    return bool(getattr(request, "axes_locked_out", False))


def seconds_to_wait(request: HttpRequest) -> int:
    """Return the seconds until a locked log-in may be tried again, at least 1."""
    throttle: Any = AxesProxyHandler.get_implementation()
    end = throttle.lock_ends(request, getattr(request, "axes_credentials", None))
    return 1 if end is None else max(1, ceil((end - timezone.now()).total_seconds()))


def rate_limited(request: HttpRequest) -> RateLimited:
    """Return the error for a locked log-in."""
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
    """Return 429 for a log-in form, the admin's too: a page, or JSON if the client prefers it.

    Axes' middleware passes more arguments, which differ between sync and async; the request has
    all that is needed.
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
    """Whether `value` can be in a database: PostgreSQL takes no NUL, none a lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
