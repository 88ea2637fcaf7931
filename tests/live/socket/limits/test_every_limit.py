"""Every setting of live/conf.py has a test of its limit."""

from pathlib import Path

import pytest

from live.conf import DEFAULTS
from tests.live.socket.limits import (
    test_documents,
    test_messages_and_operations,
    test_pages_and_times,
)

ROOT = Path(__file__).resolve().parents[4]

# Where each setting's limit is tested: here, or in a file; None is no limit of a client's.
TESTED = {
    "MAX_WORKER_THREADS": None,
    "DOCUMENT_CACHE_SIZE": None,
    "DOCUMENT_CACHE_CHARACTERS": "tests/live/socket/limits/test_bytes.py",
    "OUTBOX_BYTES": "tests/live/socket/limits/test_bytes.py",
    "EVENT_BYTES_IN_MEMORY": "tests/live/socket/limits/test_bytes.py",
    "MAX_ANSWER_BYTES": "tests/live/socket/limits/test_bytes.py",
    "MAX_ROWS": test_documents.test_a_document_over_a_socket,
    "BROADCAST": "tests/live/log/test_append.py",
    "POLL_EVERY": "tests/live/fanout/follower/test_follower.py",
    "EVENTS_IN_MEMORY": "tests/live/fanout/test_catch_up_costs.py",
    "SEND_PING_EVERY": test_pages_and_times.test_pings_without_an_answer,
    "CONNECTION_INIT_WAIT_TIMEOUT": test_pages_and_times.test_seconds_before_init,
    "IDLE_TIMEOUT": test_pages_and_times.test_seconds_idle,
    "INBOX_BYTES": "tests/live/socket/limits/test_requests_in_bytes.py",
    "MAX_SUBSCRIPTION_BYTES_PER_USER": "tests/live/socket/limits/test_requests_in_bytes.py",
    "OUTBOX_SIZE": "tests/live/socket/test_races.py",
    "NOTIFICATIONS_IN_OUTBOX": "tests/live/fanout/test_slow_clients.py",
    "SLOW_CLIENT_SECONDS": test_pages_and_times.test_seconds_in_which_nothing_is_taken,
    "NOTIFICATION_QUEUE_LIMIT": "tests/live/fanout/test_slow_clients.py",
    "RECHECK_EVERY": "tests/live/identity/test_rights_cache.py",
    "MAX_MESSAGE_BYTES": test_messages_and_operations.test_message_bytes,
    "MAX_QUERY_TOKENS": test_documents.test_a_document_over_a_socket,
    "MAX_QUERY_DEPTH": test_documents.test_a_document_over_a_socket,
    "MAX_QUERY_FIELDS": test_documents.test_a_document_over_a_socket,
    "MAX_QUERY_ALIASES": test_documents.test_a_document_over_a_socket,
    "MAX_PAGE_SIZE": test_pages_and_times.test_rows_of_a_page,
    "MAX_OPERATIONS_PER_SOCKET": test_messages_and_operations.test_operations_on_a_socket,
    "MAX_SUBSCRIPTIONS_PER_SOCKET": test_messages_and_operations.test_subscriptions_of_a_socket,
    "MAX_SUBSCRIPTIONS_PER_USER": test_messages_and_operations.test_subscriptions_of_a_user,
    "MAX_ANONYMOUS_SOCKETS_PER_ADDRESS": (
        test_messages_and_operations.test_anonymous_sockets_of_an_address
    ),
    "MAX_SOCKETS_PER_USER": test_messages_and_operations.test_sockets_of_a_user,
    "MESSAGES_PER_SECOND": test_messages_and_operations.test_messages_a_second_come_back,
    "MESSAGES_AT_ONCE": test_messages_and_operations.test_messages_at_once,
    "REQUESTS_PER_SECOND_OF_CLIENT": "tests/live/identity/test_rate_limits.py",
    "REQUESTS_AT_ONCE_OF_CLIENT": "tests/live/identity/test_rate_limits.py",
    "CPU_SHARE_OF_CLIENT": "tests/live/socket/limits/test_cpu_share.py",
    "NEW_DOCUMENTS_PER_SECOND": "tests/live/identity/test_rate_limits.py",
    "NEW_DOCUMENTS_AT_ONCE": "tests/live/identity/test_rate_limits.py",
    "OPERATION_TIMEOUT": test_pages_and_times.test_seconds_for_an_operation,
    "LOGIN_TOKEN_HOURS": "tests/server/test_accounts.py",
    "INTROSPECTION": "tests/live/execution/test_introspection.py",
}


def test_every_setting_is_tested():
    assert TESTED.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("name", [name for name, where in TESTED.items() if isinstance(where, str)])
def test_the_file_that_is_said_to_test_a_setting_does(name):
    assert name in (ROOT / TESTED[name]).read_text()
