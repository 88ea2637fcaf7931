"""What every response forbids the browser: the Content-Security-Policy and its kin.

Django's SecurityMiddleware adds the rest: Referrer-Policy and Cross-Origin-Opener-Policy
(both same-origin), X-Content-Type-Options, and HSTS in production.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

# 'self' covers ws: and wss: to the page's own host in every current browser (CSP level 3).
EVERY_PAGE = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "worker-src": [SELF],
    "object-src": [NONE],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}
# Its editor, Monaco, writes <style> elements and style attributes, whose text depends on theme
# and position: no nonce or hash can name them. Its icons are a font within the style sheet.
GRAPHIQL = {"style-src": [UNSAFE_INLINE], "font-src": ["data:"]}

# Chromium warns of names that it does not know, so these are the ones that it does.
PERMISSIONS = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")
PERMISSIONS_POLICY = ", ".join(f"{name}=()" for name in PERMISSIONS)


@sync_and_async_middleware
def permissions_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[..., Any]:
    """Middleware: no page, and nothing in it, may use the machine's devices."""

    def add(response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return add(await get_response(request))

        return middleware
    return lambda request: add(get_response(request))
