"""Django's sessions in the database, asked for keys only that can be there."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore


class SessionStore(DatabaseStore):
    """A cookie may hold anything: PostgreSQL refuses a NUL, which would be a failure of ours."""

    def _validate_session_key(self, key: str) -> bool:
        # Private, and overridden all the same: `load` has no other step before its query.
        is_long_enough = super()._validate_session_key(key)  # type: ignore[misc]
        return bool(is_long_enough) and key.isascii() and key.isalnum()
