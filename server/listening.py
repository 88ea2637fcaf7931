"""`python -m server.listening HOST PORT`: whether a server could listen there."""

import socket
import sys


def why_not(host: str, port: int) -> str | None:
    """Return why nobody can listen at `host` (a name or address) and `port`; None if one can."""
    host = host.removeprefix("[").removesuffix("]")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # As servers do: a connection of before that has not quite ended is no hindrance.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


if __name__ == "__main__":
    host, port = sys.argv[1:]
    if not port.isdecimal() or int(port) == 0:
        sys.exit(f"PORT must be a number from 1 to 65535, not {port!r}: make run PORT=8000")
    if reason := why_not(host, int(port)):
        sys.exit(f"Nothing can listen on {host}:{port} ({reason}). Choose another: make run PORT=…")
