"""The engine's settings with their defaults; a project overrides them in `settings.LIVE`."""

from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    # ---- running
    # Threads for sync resolvers of queries, and as many for those of mutations; one client has
    # half of them at the most. Python runs one at a time: more of them only have the event loop,
    # and with it every subscriber, wait longer for its turn. Twice as many and four more (for
    # the log and for rights) are the database connections that a process takes.
    "MAX_WORKER_THREADS": 4,
    # Documents whose parsed form is kept, and the characters of their texts, each of which costs
    # some fifty bytes so; clients of one application send the same few dozen.
    "DOCUMENT_CACHE_SIZE": 512,
    "DOCUMENT_CACHE_CHARACTERS": 524_288,
    # ---- the event log
    # What the channel layer carries: "events", or "doorbell": only that there are some, which
    # each process then reads from the log. It keeps patients' data out of Redis, for a query.
    "BROADCAST": "events",
    # Seconds between two looks at the log while nothing comes by the channel layer: what an
    # event is late at the most when the layer is away.
    "POLL_EVERY": 1,
    # Events kept in memory for those who come back, and their bytes; the rest is read from the
    # database.
    "EVENTS_IN_MEMORY": 2000,
    "EVENT_BYTES_IN_MEMORY": 16_777_216,
    # ---- sockets
    # Seconds between pings. Proxies cut silent connections after 30 to 60.
    "SEND_PING_EVERY": 20,
    # Seconds a client has to send connection_init: enough for a phone on a slow line.
    "CONNECTION_INIT_WAIT_TIMEOUT": 10,
    # Seconds without a running operation after which a socket is closed: a tab that was
    # forgotten costs memory, one that watches is not idle.
    "IDLE_TIMEOUT": 3600,
    # Frames that may wait for a client that does not read: answers and pings. Beyond it, the
    # socket is closed.
    "OUTBOX_SIZE": 1024,
    # Bytes that may wait so, of answers and notifications; a ward's page has some ten thousand. A
    # client that leaves an eighth of it in answers unread is not read from either.
    "OUTBOX_BYTES": 1_048_576,
    # Notifications among the frames. Beyond it, the subscription reads from the log as fast as its
    # client takes it.
    "NOTIFICATIONS_IN_OUTBOX": 128,
    # Bytes of memory that the requests running on one socket may take, about. Beyond it, nothing
    # more is read from its client until some are done; who comes back subscribes to a hundred
    # things at once with a tenth of it.
    "INBOX_BYTES": 1_048_576,
    # Seconds after which a client that takes nothing at all is closed: a tunnel, a nap.
    "SLOW_CLIENT_SECONDS": 60,
    # Events that may wait for a `publish` that is slower than they come. Beyond it, its
    # subscriptions read them from the log.
    "NOTIFICATION_QUEUE_LIMIT": 1000,
    # Seconds between two looks at whether sessions and tokens still stand, for changes that
    # send no signal: an expiry, or SQL written by hand.
    "RECHECK_EVERY": 1,
    # ---- what a client may ask for
    # Bytes of one message: the largest sensible document is a tenth of it.
    "MAX_MESSAGE_BYTES": 262_144,
    # Tokens of a document. GraphiQL's introspection has about 300.
    "MAX_QUERY_TOKENS": 2000,
    # Nesting of fields. GraphiQL's introspection has 15; patients' own schema needs 5.
    "MAX_QUERY_DEPTH": 20,
    # Fields, fragments spread: some ten times GraphiQL's introspection.
    "MAX_QUERY_FIELDS": 1000,
    # Aliases multiply the cost of one field: no page of a real client needs more.
    "MAX_QUERY_ALIASES": 50,
    # Rows that a document may ask for, all its lists together: ten pages.
    "MAX_ROWS": 1000,
    # Bytes of one answer; what is larger is an error.
    "MAX_ANSWER_BYTES": 2_097_152,
    # Rows in one page of a list: more than any screen shows, less than what hurts.
    "MAX_PAGE_SIZE": 100,
    # Queries and mutations running on one socket: a page that loads asks for a dozen.
    "MAX_OPERATIONS_PER_SOCKET": 50,
    # Subscriptions of one socket, and of one user on all sockets of a process: a ward
    # board has one for each category.
    "MAX_SUBSCRIPTIONS_PER_SOCKET": 100,
    "MAX_SUBSCRIPTIONS_PER_USER": 1000,
    # Bytes of ids, documents and variables of these subscriptions, of one user on all sockets of
    # a process (or one socket of nobody): twice what a thousand long ones have.
    "MAX_SUBSCRIPTION_BYTES_PER_USER": 2_097_152,
    # Sockets of one address that are not logged in: a client with a token is so until its init.
    "MAX_ANONYMOUS_SOCKETS_PER_ADDRESS": 100,
    # Sockets of one user on a process: a ward's shared account has a few dozen screens.
    "MAX_SOCKETS_PER_USER": 200,
    # Messages of one socket: a second on average, and at once. A client that comes back
    # subscribes to everything in one burst.
    "MESSAGES_PER_SECOND": 50,
    "MESSAGES_AT_ONCE": 200,
    # Operations and new connections of one client (a user, or the address of nobody) on all
    # its sockets of a process, the closed ones included: a ward's screens come back at once.
    "REQUESTS_PER_SECOND_OF_CLIENT": 20,
    "REQUESTS_AT_ONCE_OF_CLIENT": 500,
    # Part of one processor that a client may use on average. A client beyond it waits for all
    # others, and all who are beyond it have one thread together. A page uses it for a second.
    "CPU_SHARE_OF_CLIENT": 0.01,
    # Documents of one client that were not seen before: parsing and validating one costs
    # milliseconds, and a real client has a few dozen, with variables for what changes.
    "NEW_DOCUMENTS_PER_SECOND": 2,
    "NEW_DOCUMENTS_AT_ONCE": 100,
    # Seconds for a query or mutation: whoever asked has given up by then.
    "OPERATION_TIMEOUT": 30,
    # Hours that a token from a log-in lasts: a shift, and the hand-over after it.
    "LOGIN_TOKEN_HOURS": 12,
    # Who may introspect the schema: "everyone", "staff" or "nobody"; None is everyone while
    # DEBUG is on, staff otherwise.
    "INTROSPECTION": None,
}


# The only values of some of them; a number has its default's type, and is positive.
CHOICES: dict[str, tuple[Any, ...]] = {
    "BROADCAST": ("events", "doorbell"),
    "INTROSPECTION": (None, "everyone", "staff", "nobody"),
}
# Numbers at which 0 switches something off.
OFF_AT_ZERO = {
    "EVENTS_IN_MEMORY",
    "SEND_PING_EVERY",
    "CONNECTION_INIT_WAIT_TIMEOUT",
    "MAX_QUERY_ALIASES",
    "DOCUMENT_CACHE_SIZE",
}
# Numbers that would have no meaning beyond another one.
AT_MOST: dict[str, str | int] = {
    # Who has not even begun would stay for longer than who has nothing to do.
    "CONNECTION_INIT_WAIT_TIMEOUT": "IDLE_TIMEOUT",
    # They are among them.
    "NOTIFICATIONS_IN_OUTBOX": "OUTBOX_SIZE",
}


class Conf:
    """Attribute access to the settings: `conf.MAX_WORKER_THREADS`."""

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"LIVE has no setting {name!r}")
        return getattr(settings, "LIVE", {}).get(name, DEFAULTS[name])


conf = Conf()
