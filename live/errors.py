"""Every error that a client can see, with its code; whatever else happens is masked.

LiveError
├── Unauthenticated   UNAUTHENTICATED   nobody is logged in
├── Forbidden         FORBIDDEN         somebody is, but may not
├── BadInput          BAD_INPUT         an argument that cannot be used
├── BadCursor         BAD_CURSOR        what stands for a place in the event log is none
├── CursorExpired     CURSOR_EXPIRED    the log no longer holds the events after it
└── NotFound          NOT_FOUND         there is no such thing, or it is not for this user
"""

import logging
import uuid
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from graphql import ExecutionContext, GraphQLError, GraphQLFormattedError

from live import metrics
from live.concurrency import outage

logger = logging.getLogger(__name__)

INTERNAL = "INTERNAL"


class LiveError(GraphQLError):
    """An error whose text is written for the client."""

    code = INTERNAL
    default_message = "Something went wrong."

    def __init__(self, message: str | None = None, **kwargs: Any) -> None:
        extensions = {**kwargs.pop("extensions", {}), "code": self.code}
        super().__init__(message or self.default_message, extensions=extensions, **kwargs)


def _all_kinds(kind: type["LiveError"]) -> Iterator[type["LiveError"]]:
    for below in kind.__subclasses__():
        yield below
        yield from _all_kinds(below)


class Unauthenticated(LiveError):
    """Nobody is logged in on this connection."""

    code = "UNAUTHENTICATED"
    default_message = "Log in first."


class Forbidden(LiveError):
    """The user lacks a permission."""

    code = "FORBIDDEN"
    default_message = "You do not have permission to do this."


class BadInput(LiveError):
    """An argument cannot be used; the message names it."""

    code = "BAD_INPUT"
    default_message = "The input cannot be used."


class BadCursor(LiveError):
    """A cursor that cannot be read."""

    code = "BAD_CURSOR"
    default_message = "`after` is not a valid cursor. Use `position` or an event's `cursor`."


class CursorExpired(LiveError):
    """The events after the cursor were pruned, or the cursor is another log's."""

    code = "CURSOR_EXPIRED"
    default_message = (
        "The log no longer holds the events after this cursor. Load the present data, and "
        "subscribe after its `position`."
    )


class NotFound(LiveError):
    """There is no such object, or the user may not see it: the answer is the same."""

    code = "NOT_FOUND"
    default_message = "Not found."


class LimitExceeded(LiveError):
    """The client exceeded the limit named `limit`; counted when it is raised."""

    counted_when_raised = True

    def __init__(self, message: str | None = None, *, limit: str, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.limit = limit
        if self.counted_when_raised:
            self.count()

    def count(self) -> None:
        """Count one more refusal."""
        metrics.limits.labels(limit=self.limit).inc()


class QueryTooComplex(LimitExceeded):
    """The document exceeds a bound, which the message names."""

    code = "QUERY_TOO_COMPLEX"
    # A document's errors are remembered with it: whoever refuses it again counts again.
    counted_when_raised = False


class AnswerTooLarge(LimitExceeded):
    """The answer has more than MAX_ANSWER_BYTES bytes."""

    code = "ANSWER_TOO_LARGE"
    default_message = "The answer is too large: ask for fewer rows, or for shorter fields."


class RateLimited(LimitExceeded):
    """Too many requests in too short a time."""

    code = "RATE_LIMITED"
    default_message = "Too many requests: slow down."


class TooManySubscriptions(LimitExceeded):
    """The socket, or the user, has the most subscriptions allowed."""

    code = "TOO_MANY_SUBSCRIPTIONS"
    default_message = "Too many subscriptions."


class TooManyOperations(LimitExceeded):
    """The socket has the most operations allowed running."""

    code = "TOO_MANY_OPERATIONS"
    default_message = "Too many operations at once."


class Timeout(LimitExceeded):
    """The operation took longer than it may."""

    code = "TIMEOUT"
    default_message = "It took too long; a mutation may have been carried out all the same."


class Unavailable(LiveError):
    """The database is away, or takes no writes."""

    code = "UNAVAILABLE"
    default_message = "The database is away: try again."


class SharedContextError(LiveError):
    """A run shared by many clients asked for something that belongs to one of them."""

    code = "SHARED_CONTEXT"
    default_message = "A shared run has no user and no socket: see Subscription.audience."


# Those of this file.
CODES = frozenset({INTERNAL, *(kind.code for kind in _all_kinds(LiveError))})


def format_error(error: Exception) -> GraphQLFormattedError:
    """Return `error` as GraphQL's response format has it, with `extensions.code`.

    An exception that was not raised for the client's eyes becomes INTERNAL with an id that
    is also in the server's log. Neither holds the exception's text, which may quote a
    patient; the log has its type and where it was raised.
    """
    formatted = _formatted(error)
    code = (formatted.get("extensions") or {}).get("code")
    # An application's own codes are one value: a label has few.
    metrics.errors.labels(code=code if code in CODES else "other").inc()
    return formatted


def _formatted(error: Exception) -> GraphQLFormattedError:
    located = error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error)
    cause = located.original_error
    if isinstance(cause, LiveError):
        return _located_like(located, str(cause.message), {**(cause.extensions or {})})
    if isinstance(cause, PermissionDenied):
        return _located_like(located, Forbidden.default_message, {"code": Forbidden.code})
    if isinstance(cause, ObjectDoesNotExist):
        return _located_like(located, NotFound.default_message, {"code": NotFound.code})
    if cause is not None and outage.is_databases(cause):
        outage.database_failed(cause)
        return _located_like(located, Unavailable.default_message, {"code": Unavailable.code})
    if cause is None:
        # graphql-core's own: a parse, validation or coercion error of the client's document.
        return _located_like(located, located.message, {"code": BadInput.code})
    if isinstance(cause, GraphQLError) and not _is_about_a_result(cause):
        return _located_like(located, located.message or cause.message, {"code": BadInput.code})
    return _mask(located, cause)


def is_unavailable(error: BaseException) -> bool:
    """Whether the database is the reason, so that trying again may help."""
    cause = getattr(error, "original_error", None) or error
    return isinstance(cause, Unavailable) or outage.is_databases(cause)


def _is_about_a_result(error: GraphQLError) -> bool:
    """Tell whether graphql-core raised it for a resolver's result, whose value it then quotes."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == ExecutionContext.complete_value.__name__:
            return True
        traceback = traceback.tb_next
    return False


def _located_like(
    error: GraphQLError, message: str, extensions: dict[str, Any]
) -> GraphQLFormattedError:
    formatted = {**error.formatted, "message": message}
    formatted["extensions"] = {**extensions, **(error.extensions or {})}
    return formatted  # type: ignore[return-value]


def _mask(error: GraphQLError, cause: BaseException) -> GraphQLFormattedError:
    error_id = uuid.uuid4().hex
    logger.error(
        "Internal error %s: %s at %s", error_id, type(cause).__qualname__, _raised_at(cause)
    )
    return _located_like(error, "Internal error.", {"code": INTERNAL, "id": error_id})


def _raised_at(cause: BaseException) -> str:
    """Return the frames of the traceback, innermost last, without any value in them."""
    frames = []
    traceback = cause.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return " < ".join(reversed(frames[-8:])) or "an unknown place"
