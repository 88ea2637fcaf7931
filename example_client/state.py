"""What a watch remembers from one start to the next: a file with its subscriptions' cursors."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from example_client.errors import OutputLost, Usage

# In every file, so that a later form can be told from this one.
FORM = 1
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
# The same server answers to both.
SOCKET_SCHEMES = {"http": "ws", "https": "wss"}


@dataclass(frozen=True)
class Watched:
    """What is watched; a cursor of one is no place in another.

    Args:
        server: the endpoint's address, as `server_of` spells it.
        category: a disease category's code, None for all.
        fields: the names of the subscriptions.
    """

    server: str
    category: str | None
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{what_is_watched(self.category)} at {self.server}"


def what_is_watched(category: str | None) -> str:
    """Return in words what a watch of `category` shows."""
    return f"category {category}" if category is not None else "all categories"


def server_of(url: str) -> str:
    """Return one spelling for all addresses of the same endpoint."""
    parts = urlsplit(url)
    scheme = SOCKET_SCHEMES.get(parts.scheme, parts.scheme)
    query = f"?{parts.query}" if parts.query else ""
    port = parts.port or PORTS[parts.scheme]
    return f"{scheme}://{parts.hostname}:{port}{parts.path or '/'}{query}"


class StateFile:
    """The file of one watch, which one process at a time may use (see `opened`).

    Args:
        path: the file; it need not exist yet.
        watched: what it has to be about.
    """

    def __init__(self, path: str, watched: Watched) -> None:
        self._path = path
        self._watched = watched

    def load(self) -> dict[str, str]:
        """Return the cursors by subscription, none where there is no file yet.

        Raises Usage where the file cannot be read, is none of `watch`'s, or is about
        something else: it is left as it is.
        """
        try:
            with open(self._path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise Usage(f"cannot use the state file {self._path}: {_reason(error)}") from None
        return read_state(text, self._path, self._watched)

    def save(self, cursors: dict[str, str]) -> None:
        """Put `cursors` in the place of those before, in one step.

        Whoever is killed meanwhile finds the one or the other, never half of a file; raises
        OutputLost where that cannot be done.
        """
        new = f"{self._path}.new"
        try:
            with open(new, "w", encoding="utf-8") as file:
                file.write(state_text(self._watched, cursors))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self._path)
        except OSError as error:
            raise OutputLost(
                f"cannot write the state file {self._path}: {_reason(error)};"
                " what was printed last will be printed again"
            ) from error


@contextlib.contextmanager
def opened(path: str, watched: Watched) -> Iterator[StateFile]:
    """Give the state file to this process alone; raise Usage where another has it.

    The lock is on PATH.lock, which stays: the state file itself is replaced at each event.
    """
    lock = _lock(path)
    try:
        yield StateFile(path, watched)
    finally:
        os.close(lock)


def _lock(path: str) -> int:
    try:
        lock = os.open(f"{path}.lock", os.O_WRONLY | os.O_CREAT, 0o666)
    except OSError as error:
        raise Usage(f"cannot use the state file {path}: {_reason(error)}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Usage(f"the state file {path} is in use by another watch") from None
    return lock


def state_text(watched: Watched, cursors: dict[str, str]) -> str:
    """Return a state file's content."""
    about = {"form": FORM, "server": watched.server, "category": watched.category}
    return json.dumps({**about, "cursors": cursors}, indent=2) + "\n"


def read_state(text: str, path: str, watched: Watched) -> dict[str, str]:
    """Return the cursors in a state file's content; raise Usage where it is not about `watched`."""
    try:
        state = json.loads(text)
    except ValueError:
        state = None
    if not _is_state(state):
        raise Usage(f"{path} is no state file of watch: name another, or remove it")
    cursors: dict[str, str] = state["cursors"]
    found = Watched(state["server"], state["category"], watched.fields)
    if found != watched or not set(cursors) <= set(watched.fields):
        raise Usage(f"the state file {path} is of {found}, not of {watched}: name another")
    return cursors


def _is_state(state: Any) -> bool:
    if not isinstance(state, dict) or state.get("form") != FORM:
        return False
    cursors, category = state.get("cursors"), state.get("category", 0)
    return (
        isinstance(state.get("server"), str)
        and isinstance(category, str | None)
        and isinstance(cursors, dict)
        and all(isinstance(cursor, str) for cursor in cursors.values())
    )


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is no text"
