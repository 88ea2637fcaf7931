"""Daphne's requests: their bodies are bounded, and no form is parsed on the event loop."""

from io import BytesIO
from typing import Any

from daphne import http_protocol

from server.bodies import STATUS, count_refusal, most_bytes, refusal

# For a client that goes on sending to take the answer.
SECONDS_TO_TAKE_THE_ANSWER = 10


class BoundedRequest(http_protocol.WebRequest):
    """A request of Daphne's, which would keep a body of any size, and parse it if it is a form.

    Twisted parses forms for applications of its own, on the event loop: Django does it again,
    in a thread.
    """

    _end: Any = None  # of the connection, once the body was refused
    _bytes = 0
    content: Any  # Twisted's file of the body

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parsePOSTFormSubmission = False

    def gotLength(self, length: int | None) -> None:
        """Take the body's length, or None; called by the connection."""
        if length is None or length <= most_bytes():
            super().gotLength(length)
        else:
            super().gotLength(0)
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body; called by the connection."""
        self._bytes += len(data)
        if self._end is not None:
            return  # what still comes is thrown away
        if self._bytes > most_bytes():
            self._refuse()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, *args: Any) -> None:
        """Process the request, or end the connection if its body was refused."""
        if self._end is None:
            super().requestReceived(*args)
        else:
            self.channel.loseConnection()

    def connectionLost(self, reason: Any) -> None:
        """Hear that the connection is gone."""
        if self._end is not None and self._end.active():
            self._end.cancel()
        super().connectionLost(reason)

    def _refuse(self) -> None:
        """Answer at once, and throw away what has come."""
        count_refusal()
        # Nobody is asked to go on.
        self.requestHeaders.removeHeader(b"expect")
        self.content.close()
        self.content = BytesIO()
        headers, text = refusal()
        head = {**headers, b"connection": b"close"}
        lines = b"".join(b"%s: %s\r\n" % line for line in head.items())
        self.channel.write(b"HTTP/1.1 %d Content Too Large\r\n%s\r\n%s" % (STATUS, lines, text))
        self._end = self.channel.callLater(
            SECONDS_TO_TAKE_THE_ANSWER, self.channel.forceAbortClient
        )


def bound_requests() -> None:
    """Have Daphne, if it is the server of this process, make such requests."""
    http_protocol.WebRequest = BoundedRequest
