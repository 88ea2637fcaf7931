"""GraphQL over HTTP, and GraphiQL for a browser, at one address."""

import json
from typing import Any

import graphene
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render, resolve_url
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from graphql import ExecutionResult, OperationType

from live.context import Context
from live.errors import BadInput, format_error
from live.execution import Document, Request, prepare, run
from live.threads import WorkerThreads

JSON = "application/json"


class CookieCsrfCheck(CsrfViewMiddleware):
    """Django's check, for those requests only that a session cookie authenticates.

    Others have nothing that a foreign page could ride on; and since a body must be
    `application/json`, no plain form can send one.
    """

    def refuses(self, request: HttpRequest) -> HttpResponse | None:
        """Return the refusal (403), None where the request may go on."""
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        self.process_request(request)
        return self.process_view(request, None, (), {})


@method_decorator(csrf_exempt, name="dispatch")  # CookieCsrfCheck does it, see above
class GraphQLView(View):
    """Answers POST and GET with GraphQL, and a browser's GET with GraphiQL."""

    schema: graphene.Schema | None = None
    graphiql_template = "graphene/graphiql.html"
    middleware = WorkerThreads()

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Run the query in the address; without one a browser gets GraphiQL."""
        # Named, not merely accepted: a program's `*/*` is no wish for a page.
        if "query" not in request.GET and "text/html" in request.headers.get("Accept", ""):
            return await sync_to_async(self.graphiql)(request)
        try:
            return await self.answer(request, _request_in_address(request), only_query=True)
        except BadInput as error:
            return refusal(error)

    async def post(self, request: HttpRequest) -> HttpResponse:
        """Run the operation in the JSON body."""
        refused = CookieCsrfCheck(lambda _: HttpResponse()).refuses(request)
        if refused:
            return refused
        try:
            return await self.answer(request, _request_in_body(request))
        except BadInput as error:
            return refusal(error)

    async def answer(
        self, http_request: HttpRequest, request: Request, *, only_query: bool = False
    ) -> HttpResponse:
        """Run `request`; raise BadInput where it has no operation to run."""
        assert self.schema is not None, "as_view(schema=…) is missing"
        document = await prepare(self.schema, request.query)
        if document.errors:
            return refusal(*document.errors)
        kind = document.operation(request.operation_name).operation
        if kind == OperationType.SUBSCRIPTION:
            raise BadInput("A subscription needs a WebSocket, at this same address.")
        if only_query and kind != OperationType.QUERY:
            return HttpResponseNotAllowed(["POST"])
        return respond(await self.run(http_request, document, request))

    async def run(
        self, http_request: HttpRequest, document: Document, request: Request
    ) -> ExecutionResult:
        """Execute in the context of this request."""
        connection = {
            "request": http_request,
            "session": http_request.session,
            "user": await http_request.auser(),
            "language": get_language(),
        }
        operation = {
            "channels_scope": None,
            "channel_name": None,
            "graphql_operation_id": None,
            "graphql_operation_name": request.operation_name,
        }
        context = Context(connection, operation)
        assert self.schema is not None
        return await run(self.schema, document, request, context, self.middleware)

    def graphiql(self, request: HttpRequest) -> HttpResponse:
        """Render the page; its template needs the user, and so the database."""
        context = {
            "assets_built": (settings.GRAPHIQL_DIST / "graphiql.js").exists(),
            "login_url": resolve_url(settings.LOGIN_URL),
            "logout_url": resolve_url("logout"),
            "csp_nonce": "",
        }
        return render(request, self.graphiql_template, context)


def _request_in_body(request: HttpRequest) -> Request:
    if request.content_type != JSON:
        raise BadInput(f"The body must be {JSON}.")
    try:
        return Request.from_payload(json.loads(request.body))
    except ValueError:
        raise BadInput("The body is not JSON.") from None


def _request_in_address(request: HttpRequest) -> Request:
    parameters: dict[str, Any] = request.GET.dict()
    try:
        parameters["variables"] = json.loads(parameters.get("variables") or "null")
    except ValueError:
        raise BadInput("The parameter variables is not JSON.") from None
    return Request.from_payload(parameters)


def respond(result: ExecutionResult) -> HttpResponse:
    """Return a response with what was executed, errors of fields included."""
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [format_error(error) for error in result.errors]
    return JsonResponse(body)


def refusal(*errors: Exception) -> HttpResponse:
    """Return 400 with errors for which nothing was executed."""
    return JsonResponse({"errors": [format_error(error) for error in errors]}, status=400)
