"""The project's own pages."""

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import csrf as django_csrf
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import live.http.views
from live.errors import Forbidden, LiveError
from live.http import protocol
from live.identity import identify
from server import headers


class GraphQLView(live.http.views.GraphQLView):
    """The endpoint, with a Content-Security-Policy that lets GraphiQL work."""

    @method_decorator(csp_update(headers.GRAPHIQL))
    def graphiql(self, request: HttpRequest) -> HttpResponse:
        """Render the page."""
        return super().graphiql(request)


def metrics(request: HttpRequest) -> HttpResponse:
    """Show Prometheus' counters and gauges to staff, by session or access token."""
    try:
        user = identify.user_of_request(request)
    except LiveError:
        user = None
    if user is None or not (user.is_active and user.is_staff):
        return HttpResponse("For staff only.\n", status=403, content_type="text/plain")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a request that may come from a foreign page: JSON to those who ask for it."""
    accept = request.headers.get("Accept")
    media_type = protocol.negotiate(accept, (protocol.HTML, *protocol.ANSWERS))
    if media_type in protocol.ANSWERS:
        answer = protocol.refused([Forbidden("CSRF check failed.")], media_type)
        return live.http.views.respond(answer)
    return django_csrf.csrf_failure(request, reason)
