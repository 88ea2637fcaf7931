"""Refuses the body of a request that is too large, before anything gathers or parses it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from live import metrics
from live.conf import conf

STATUS = 413


def most_bytes() -> int:
    """Return how many bytes a body may have: a form's, or a GraphQL request's if it is more."""
    form: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    message: int = conf.MAX_MESSAGE_BYTES
    return max(form, message)


def count_refusal() -> None:
    """Count a body that was refused."""
    metrics.limits.labels(limit="body_bytes").inc()


def refusal() -> tuple[dict[bytes, bytes], bytes]:
    """Return the headers and the text of the answer to a body that is too large."""
    text = f"The body is larger than {most_bytes()} bytes.\n".encode()
    headers = {
        b"content-type": b"text/plain; charset=utf-8",
        b"content-length": b"%d" % len(text),
        b"x-content-type-options": b"nosniff",
    }
    return headers, text


class BoundedBodies:
    """ASGI application around one for HTTP, which is never given a body that is too large.

    By its length it is refused before it is read. One in chunks has none: the application is
    told at the bound that its client has gone, and the client is answered.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = _Body(scope, receive)
        if not body.is_too_large:
            await self._application(scope, body.receive, send)
        if body.is_too_large:
            await _refuse(send)


class _Body:
    def __init__(self, scope: Mapping[str, Any], receive: Any) -> None:
        self._receive, self._left = receive, most_bytes()
        self.is_too_large = _length(scope) > self._left

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.is_too_large = True
            return {"type": "http.disconnect"}
        return message


def _length(scope: Mapping[str, Any]) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in lengths if value.isdigit()), default=0)


async def _refuse(send: Any) -> None:
    count_refusal()
    headers, text = refusal()
    start = {"type": "http.response.start", "status": STATUS, "headers": list(headers.items())}
    await send(start)
    await send({"type": "http.response.body", "body": text})
