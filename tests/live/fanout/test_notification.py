"""A result's body, and when there is none."""

import pytest
from graphql import ExecutionResult, GraphQLError

from live.errors import Forbidden
from live.fanout.notification import body_of


@pytest.mark.parametrize("data", [None, {}, {"event": None}, {"event": None, "other": None}])
def test_a_skipped_notification_has_no_body(data):
    assert body_of(ExecutionResult(data, None)) is None


@pytest.mark.parametrize("value", [0, False, "", [], {}])
def test_a_value_that_is_merely_empty_is_no_skip(value):
    assert body_of(ExecutionResult({"event": value}, None)) is not None


def test_a_null_with_an_error_is_no_skip():
    error = GraphQLError("", original_error=Forbidden())
    assert '"FORBIDDEN"' in body_of(ExecutionResult({"event": None}, [error]))
