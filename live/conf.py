"""The engine's settings with their defaults; a project overrides them in `settings.LIVE`."""

from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    # Threads for sync resolvers. Each may hold a database connection, so this is also
    # the most connections a process takes; more than a few dozen only queue at the database.
    "MAX_WORKER_THREADS": 16,
    # Seconds between pings. Proxies cut silent connections after 30 to 60.
    "SEND_PING_EVERY": 20,
    # Seconds a client has to send connection_init: enough for a phone on a slow line.
    "CONNECTION_INIT_WAIT_TIMEOUT": 10,
    # Notifications a subscription may have waiting. The library drops the oldest beyond
    # it, so a whole import's burst must fit.
    "NOTIFICATION_QUEUE_LIMIT": 100_000,
    # Rows in one page of a list: more than any screen shows, less than what hurts.
    "MAX_PAGE_SIZE": 100,
    # Documents whose parsed form is kept; clients of one application send the same few dozen.
    "DOCUMENT_CACHE_SIZE": 512,
}


class Conf:
    """Attribute access to the settings: `conf.MAX_WORKER_THREADS`."""

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"LIVE has no setting {name!r}")
        return getattr(settings, "LIVE", {}).get(name, DEFAULTS[name])


conf = Conf()
