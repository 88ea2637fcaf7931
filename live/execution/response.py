"""What GraphQL calls a response: data, and errors where there are any."""

from collections.abc import Iterable
from typing import Any

from live.errors import format_error


def response(data: Any, errors: Iterable[Any] | None = None) -> dict[str, Any]:
    """Return the response with `data`; `errors` are exceptions, or formatted already.

    Without errors it has no such key: GraphQL's response format forbids `null` and `[]` there.
    """
    body: dict[str, Any] = {"data": data}
    if errors:
        body["errors"] = [
            format_error(error) if isinstance(error, Exception) else error for error in errors
        ]
    return body
