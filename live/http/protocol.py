"""GraphQL over HTTP without any I/O: media types, status codes, and a request's parameters.

As the specification has it (https://graphql.github.io/graphql-over-http/draft/). Where the
draft and graphql-http's audits of servers differ, the audits win: a client that states no
preference is an old one, and gets `application/json`.

HttpError (a BadInput)
├── Malformed              400   not a well-formed GraphQL-over-HTTP request
├── MethodNotAllowed       405   with Allow
├── NotAcceptable          406   no media type of ours is accepted
├── ContentTooLarge        413   a body beyond the limit
└── UnsupportedMediaType   415   a body that is not JSON in UTF-8
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.http.request import MediaType
from django.utils.http import parse_header_parameters
from graphql import ExecutionResult

from live.errors import BadInput, format_error
from live.execution.execution import Request
from live.execution.response import response

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"
ANSWERS = (JSON, GRAPHQL_RESPONSE)
"""What answers can be written in; the first is for a client that has no preference."""

UTF_8 = {"utf-8", "utf8"}
PARAMETERS = ("query", "operationName", "variables", "extensions")

# What is not about what the client sent: both media types have them as the status.
NOT_PERMITTED = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "RATE_LIMITED": 429,
    "TOO_MANY_OPERATIONS": 429,
    "INTERNAL": 500,
    # A balancer of load, and whoever watches the server, go by it.
    "UNAVAILABLE": 503,
}
# A status in application/graphql-response+json only. What is in neither table is a 400 there.
NOT_ANSWERED = {"TIMEOUT": 503}


class HttpError(BadInput):
    """A request for which HTTP itself has a status, whatever the answer's media type."""

    status = 400
    headers: Mapping[str, str] = {}


class Malformed(HttpError):
    """The request is not a well-formed GraphQL-over-HTTP request."""


class MethodNotAllowed(HttpError):
    """The method cannot be used for this; `allow` names those that can."""

    status = 405

    def __init__(self, message: str, *, allow: Iterable[str]) -> None:
        super().__init__(message)
        self.headers = {"Allow": ", ".join(allow)}


class NotAcceptable(HttpError):
    """The client accepts none of the media types that answers are written in."""

    status = 406
    default_message = f"Answers are written in {GRAPHQL_RESPONSE} or {JSON}."


class ContentTooLarge(HttpError):
    """The body is longer than this server reads."""

    status = 413
    default_message = "The body is too large."


class UnsupportedMediaType(HttpError):
    """The body is not labelled as JSON in UTF-8."""

    status = 415
    default_message = f"The body must be {JSON}, in UTF-8."
    headers = {"Accept": JSON}


# ---- media types


def negotiate(accept: str | None, offers: Sequence[str]) -> str | None:
    """Return the offer that the Accept header prefers; None where it takes none of them.

    RFC 9110, 12.5.1: the most specific range that matches an offer decides on it, and `q=0`
    refuses it. Among equals a name goes before a wildcard, then the client's order counts,
    then that of `offers`.
    """
    ranges = _ranges(accept)
    preferences = [(_preference(offer, ranges), offer) for offer in offers]
    liked = [(preference, offer) for preference, offer in preferences if preference]
    return max(liked, key=lambda pair: pair[0])[1] if liked else None


def _ranges(accept: str | None) -> list[MediaType]:
    parts = [part for part in (accept or "").split(",") if part.strip()]
    return [kind for part in parts or ["*/*"] if (kind := _read_range(part))]


def _read_range(text: str) -> MediaType | None:
    try:
        return MediaType(text)
    except ValueError:  # a parameter in an encoding that does not exist
        return None


def _preference(offer: str, ranges: list[MediaType]) -> tuple[float, int, int] | None:
    matching = [
        (kind.specificity, -place, kind.quality)
        for place, kind in enumerate(ranges)
        if _matches(kind, offer)
    ]
    if not matching:
        return None
    specificity, place, quality = max(matching)
    return (quality, specificity, place) if quality > 0 else None


def _matches(kind: MediaType, offer: str) -> bool:
    main_type, _, sub_type = offer.partition("/")
    if (kind.main_type, kind.sub_type) not in (
        ("*", "*"),
        (main_type, "*"),
        (main_type, sub_type),
    ):
        return False
    return all(
        name == "charset" and value.lower() in UTF_8 for name, value in kind.range_params.items()
    )


def check_content_type(header: str | None) -> None:
    """Raise UnsupportedMediaType unless a body with this Content-Type is JSON in UTF-8.

    Nothing else is taken, on purpose: a plain HTML form, which any page may send with the
    user's cookies, cannot have this type.
    """
    try:
        media_type, parameters = parse_header_parameters(header or "")
    except ValueError:
        raise UnsupportedMediaType() from None
    if media_type != JSON or parameters.get("charset", "utf-8").lower() not in UTF_8:
        raise UnsupportedMediaType()


# ---- the request


def read_body(body: bytes) -> Request:
    """Return the request in a JSON body; raise Malformed, which names what is wrong."""
    try:
        payload = _parse_json(body.decode())
    except ValueError:
        raise Malformed("The body is not JSON in UTF-8.") from None
    return _read_payload(payload)


def read_address(parameters: Iterable[tuple[str, list[str]]]) -> Request:
    """Return the request in an address's parameters, each a name with its values.

    Raises Malformed, which names what is wrong. Parameters of other names are ignored.
    """
    payload: dict[str, Any] = {}
    for name, values in parameters:
        if name not in PARAMETERS:
            continue
        if len(values) != 1:
            raise Malformed(f"The parameter {name} is given more than once.")
        payload[name] = values[0]
    for name in ("variables", "extensions"):
        payload[name] = _parse_parameter(name, payload.get(name))
    return _read_payload(payload)


def _parse_parameter(name: str, text: str | None) -> Any:
    try:
        return _parse_json(text) if text else None
    except ValueError:
        raise Malformed(f"The parameter {name} is not JSON.") from None


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _read_payload(payload: Any) -> Request:
    try:
        request = Request.from_payload(payload)
    except BadInput as error:
        raise Malformed(error.message) from None
    if not isinstance(payload.get("extensions"), dict | None):
        raise Malformed("The request's extensions must be an object.")
    return request


# ---- the answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status, a GraphQL response in `media_type`, and more headers."""

    status: int
    media_type: str
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def executed(result: ExecutionResult, media_type: str) -> Answer:
    """Return what was executed, errors of fields included."""
    errors = result.errors or []
    # Only a field's error has a path. Without one nothing ran: the variables did not fit.
    if result.data is None and errors and all(error.path is None for error in errors):
        return refused(errors, media_type)
    return Answer(200, media_type, response(result.data, errors))


def refused(errors: Sequence[Exception], media_type: str) -> Answer:
    """Return the errors for which nothing was executed; unforeseen ones are masked."""
    formatted = [format_error(error) for error in errors]
    headers: dict[str, str] = {}
    if isinstance(errors[0], HttpError):
        status = errors[0].status
        headers.update(errors[0].headers)
    else:
        status = _status([error["extensions"]["code"] for error in formatted], media_type)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 15.5.2 wants one
    return Answer(status, media_type, {"errors": formatted}, headers)


def _status(codes: Sequence[str], media_type: str) -> int:
    for code in codes:
        if code in NOT_PERMITTED:
            return NOT_PERMITTED[code]
    if media_type == JSON:
        # A client of this type cannot tell a proxy's 4xx from ours; 200 is surely ours.
        return 200
    return NOT_ANSWERED.get(codes[0], 400)
