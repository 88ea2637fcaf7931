"""What PostgreSQL bounds on our connections, so that who stops holds up nobody for long."""

from typing import Any

# jit=off: to compile a search of many words takes longer than to run it, and is not cut short.
# lock_timeout: a write that waits for a row ends before its client gives up.
# idle_in_transaction_session_timeout: a process that is stopped within a transaction loses its
# locks. Between two statements of ours there are milliseconds.
OPTIONS = "-c jit=off -c lock_timeout=10s -c idle_in_transaction_session_timeout=15s"


def with_options(database: dict[str, Any], options: str) -> None:
    """Have each connection begin with `options` (of libpq); those in the database's URL go before.

    Nothing happens where `options` is empty, or the database is no PostgreSQL.
    """
    if options and "postgresql" in database["ENGINE"]:
        given = database.setdefault("OPTIONS", {})
        given["options"] = f"{options} {given.get('options', '')}".strip()


def bound_statements(database: dict[str, Any], seconds: float) -> None:
    """Let no statement take longer than `seconds`: its client has given up, and nobody reads it.

    For servers only: a migration's statements, and a report's, take what they take.
    """
    if "options" in database.get("OPTIONS", {}):
        with_options(database, f"-c statement_timeout={round(seconds * 1000)}")
