"""`info.context`: what a resolver knows of its connection, as an object and as a dict."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from live.errors import SharedContextError

# What a log-in or log-out changes. Everything else of a connection is as it came: another
# operation would be given what this one took for its own.
OF_THE_CONNECTION = frozenset({"user", "session"})


class Context(MutableMapping[str, Any]):
    """One operation's view of its connection.

    Reads look at the event that is published, then at the operation, then at the connection.
    What a resolver stores is the operation's: a subscription's hooks see it until the
    subscription ends, other operations of the same socket never do. Only a changed `user` or
    `session` is the connection's, so that a log-in holds for what comes after it.

    Always there: `user`, `session`, `language` ("en", "fr"), `authorized` (what a
    subscription's `authorize` returned last, else None), and, with the library's names,
    `channels_scope`, `channel_name`, `graphql_operation_id`, `graphql_operation_name`.
    """

    __slots__ = ("_connection", "_event", "_operation")

    def __init__(
        self,
        connection: dict[str, Any],
        operation: dict[str, Any],
        event: dict[str, Any] | None = None,
    ) -> None:
        object.__setattr__(self, "_connection", connection)
        object.__setattr__(self, "_operation", operation)
        object.__setattr__(self, "_event", event or {})

    @classmethod
    def of_operation(
        cls,
        connection: dict[str, Any],
        name: str | None,
        *,
        id: str | None = None,
        scope: dict[str, Any] | None = None,
        channel_name: str | None = None,
    ) -> "Context":
        """Return the context of an operation; without id, scope and channel it is HTTP's."""
        operation = {
            "channels_scope": scope,
            "channel_name": channel_name,
            "authorized": None,
            "graphql_operation_id": id,
            "graphql_operation_name": name,
        }
        return cls(connection, operation)

    def of_event(
        self, cursor: str | None, recalled: Any = None, is_replayed: bool = False
    ) -> "Context":
        """Return the context in which the event before `cursor` is published."""
        event = {"cursor": cursor, "recalled": recalled, "is_replayed": is_replayed}
        return Context(self._connection, self._operation, event)

    def __getitem__(self, key: str) -> Any:
        for store in (self._event, self._operation):
            if key in store:
                return store[key]
        return self._connection[key]

    def __setitem__(self, key: str, value: Any) -> None:
        (self._connection if key in OF_THE_CONNECTION else self._operation)[key] = value

    def __delitem__(self, key: str) -> None:
        del (self._connection if key in OF_THE_CONNECTION else self._operation)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._connection.keys() | self._operation.keys() | self._event.keys())

    def __len__(self) -> int:
        return len(self._connection.keys() | self._operation.keys() | self._event.keys())

    # Two contexts are the same only if they are one: as a mapping it would have no hash.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"The context has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"The context has no {name!r}") from None

    def __repr__(self) -> str:
        # Names only: the values hold users, cookies and what resolvers stored.
        return f"<Context {sorted(self)}>"


class SharedContext:
    """`info.context` of a run whose result many clients get: their audience, the event's cursor.

    Raises SharedContextError for anything else, so that no client gets another's data.
    """

    __slots__ = ("audience", "cursor", "is_replayed", "recalled")

    def __init__(
        self,
        audience: Any,
        cursor: str | None = None,
        recalled: Any = None,
        is_replayed: bool = False,
    ) -> None:
        object.__setattr__(self, "audience", audience)
        object.__setattr__(self, "cursor", cursor)
        object.__setattr__(self, "recalled", recalled)
        object.__setattr__(self, "is_replayed", is_replayed)

    def of_event(
        self, cursor: str | None, recalled: Any = None, is_replayed: bool = False
    ) -> "SharedContext":
        """Return the context in which the event before `cursor` is published."""
        return SharedContext(self.audience, cursor, recalled, is_replayed)

    def __getattr__(self, name: str) -> Any:
        raise SharedContextError()

    def __setattr__(self, name: str, value: Any) -> None:
        raise SharedContextError()

    def __getitem__(self, key: str) -> Any:
        if key == "audience":
            return self.audience
        raise SharedContextError()

    def __setitem__(self, key: str, value: Any) -> None:
        raise SharedContextError()

    def __delattr__(self, name: str) -> None:
        raise SharedContextError()

    def __contains__(self, key: str) -> bool:
        # "No" would let code go on as if nobody were logged in.
        if key == "audience":
            return True
        raise SharedContextError()
