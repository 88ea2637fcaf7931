"""GraphQL over HTTP, and GraphiQL for a browser, at one address."""

from typing import Any

import graphene
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from graphql import ExecutionResult, OperationType

from live import metrics
from live.concurrency.fair_share import counting_in
from live.conf import conf
from live.context import Context
from live.errors import BadInput, Forbidden, is_unavailable
from live.execution.execution import Document, Request, of_one_operation, prepare, run
from live.execution.introspection import told_to
from live.execution.resolvers import WorkerThreads
from live.execution.response import encode, too_large
from live.http import protocol
from live.identity import identify
from live.identity.rate_limits import Client, client_of_request, client_of_user


class CookieCsrfCheck(CsrfViewMiddleware):
    """Django's check, for those requests only that a session cookie authenticates.

    Others have nothing that a foreign page could ride on; and since a body must be
    `application/json`, no plain form can send one.
    """

    def refuses(self, request: HttpRequest) -> bool:
        """Whether the request may have been sent by a foreign page."""
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or identify.is_bearer(request):
            return False
        self.process_request(request)
        return self.process_view(request, _no_view, (), {}) is not None


def _no_view(request: HttpRequest) -> HttpResponse:
    """Stand where Django's middleware wants what comes after it."""
    return HttpResponse()


@method_decorator(csrf_exempt, name="dispatch")  # CookieCsrfCheck does it, see above
class GraphQLView(View):
    """Answers POST and GET with GraphQL, and a browser's GET with GraphiQL."""

    http_method_names = ["get", "head", "options", "post"]

    schema: graphene.Schema | None = None
    graphiql_template = "graphene/graphiql.html"
    middleware = WorkerThreads()

    # Django's is typed for sync views only.
    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Answer, whatever happens, in the form that the client can read."""
        view: Any = super().dispatch
        try:
            response = await view(request, *args, **kwargs)
        except Exception as error:
            if is_unavailable(error) and wants_page(request):
                raise  # for the project's page
            media_type = protocol.negotiate(request.headers.get("Accept"), protocol.ANSWERS)
            response = respond(protocol.refused([error], media_type or protocol.JSON))
        patch_vary_headers(response, ["Accept"])
        return response

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Run the query in the address; without one a browser gets GraphiQL."""
        if wants_page(request):
            return await sync_to_async(self.graphiql)(request)
        media_type = acceptable(request)
        parameters = protocol.read_address(request.GET.lists())
        return respond(await self.answer(request, parameters, media_type))

    async def post(self, request: HttpRequest) -> HttpResponse:
        """Run the operation in the JSON body."""
        media_type = acceptable(request)
        protocol.check_content_type(request.headers.get("Content-Type"))
        if CookieCsrfCheck(_no_view).refuses(request):
            raise Forbidden("Send the CSRF cookie's value in the header X-CSRFToken.")
        parameters = protocol.read_body(body_of(request))
        return respond(await self.answer(request, parameters, media_type))

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Refuse, with the methods that are allowed; called by Django."""
        allowed = map(str.upper, self.http_method_names)
        raise protocol.MethodNotAllowed("Use POST or GET.", allow=allowed)

    async def answer(
        self, http_request: HttpRequest, request: Request, media_type: str
    ) -> protocol.Answer:
        """Run `request`; raise BadInput where it has no operation that can be run here."""
        assert self.schema is not None, "as_view(schema=…) is missing"
        client = client_of_request(http_request)
        async with of_one_operation(client):
            return await self._answer(http_request, request, media_type, client)

    async def _answer(
        self, http_request: HttpRequest, request: Request, media_type: str, client: Client
    ) -> protocol.Answer:
        assert self.schema is not None
        document = await prepare(self.schema, request.query, client)
        if document.errors:
            user = await sync_to_async(identify.user_of_request)(http_request)
            return protocol.refused(told_to(user, document.errors), media_type)
        kind = document.operation(request.operation_name).operation
        if kind == OperationType.SUBSCRIPTION:
            raise BadInput("A subscription needs a WebSocket, at this same address.")
        if kind == OperationType.MUTATION and http_request.method != "POST":
            raise protocol.MethodNotAllowed("A mutation needs POST.", allow=["POST"])
        return protocol.executed(await self.run(http_request, document, request), media_type)

    async def run(
        self, http_request: HttpRequest, document: Document, request: Request
    ) -> ExecutionResult:
        """Execute in the context of this request."""
        connection = {
            "request": http_request,
            "session": http_request.session,
            "user": await sync_to_async(identify.user_of_request)(http_request),
            "language": get_language(),
        }
        context = Context.of_operation(connection, request.operation_name)
        assert self.schema is not None
        # By now it is known whose threads it takes: many users share an address.
        with counting_in(client_of_user(connection["user"], http_request).shares):
            return await run(self.schema, document, request, context, self.middleware)

    def graphiql(self, request: HttpRequest) -> HttpResponse:
        """Render the page; its template needs the user, and so the database."""
        context = {
            "assets_built": (settings.GRAPHIQL_DIST / "graphiql.js").exists(),
            "login_url": resolve_url(settings.LOGIN_URL),
            "logout_url": resolve_url("logout"),
        }
        return render(request, self.graphiql_template, context)


def wants_page(request: HttpRequest) -> bool:
    """Whether a browser asks for GraphiQL: there is no query, and HTML is preferred."""
    offers = (*protocol.ANSWERS, protocol.HTML)
    accept = request.headers.get("Accept")
    return "query" not in request.GET and protocol.negotiate(accept, offers) == protocol.HTML


def acceptable(request: HttpRequest) -> str:
    """Return the media type for the answer; raise NotAcceptable where there is none."""
    media_type = protocol.negotiate(request.headers.get("Accept"), protocol.ANSWERS)
    if media_type is None:
        raise protocol.NotAcceptable()
    return media_type


def body_of(request: HttpRequest) -> bytes:
    """Return the body; raise ContentTooLarge beyond MAX_MESSAGE_BYTES."""
    limit: int = conf.MAX_MESSAGE_BYTES
    # Not `request.body`, which goes by Content-Length: a body sent in chunks has none.
    body = request.read(limit + 1)
    if len(body) > limit:
        metrics.limits.labels(limit="message_bytes").inc()
        raise protocol.ContentTooLarge(f"The body is larger than {limit} bytes.")
    return body


def respond(answer: protocol.Answer) -> HttpResponse:
    """Return `answer` as a response that no cache keeps: it may hold patients' data."""
    headers = {**answer.headers, "Cache-Control": "no-store"}
    content_type = f"{answer.media_type}; charset=utf-8"
    body = encode(answer.body).encode()
    if len(body) > conf.MAX_ANSWER_BYTES:
        body = encode(too_large()).encode()
    return HttpResponse(body, status=answer.status, headers=headers, content_type=content_type)
