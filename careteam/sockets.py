"""Which socket an operation came by."""

import uuid
from typing import Any

# Where a connection keeps its identity; made when it is first asked for.
_KEY = "careteam.socket"


def socket_of(context: Any) -> str | None:
    """Return what identifies the socket of `info.context` in all processes; None over HTTP."""
    scope = context.channels_scope
    if scope is None:
        return None
    # One step, since two operations of a socket may ask at once, in different threads.
    identity: str = scope.setdefault(_KEY, uuid.uuid4().hex)
    return identity
