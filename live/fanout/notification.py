"""What an execution's outcome is to clients: a notification, its errors, or nothing."""

import asyncio
from collections.abc import Awaitable

from graphql import ExecutionResult, GraphQLError

from live.concurrency.cancellation import is_own_cancellation
from live.execution.response import Body, encode, response


async def settled(outcome: Awaitable[ExecutionResult]) -> ExecutionResult:
    """Return the result that `outcome` comes to; whatever it raises is the result's error."""
    try:
        return await outcome
    except asyncio.CancelledError:
        if is_own_cancellation():
            raise
        return cancelled()
    except Exception as error:
        return failure(error)


def failure(error: Exception) -> ExecutionResult:
    """Return the result of an execution that raised `error`."""
    return ExecutionResult(None, [GraphQLError("", original_error=error)])


def cancelled() -> ExecutionResult:
    """Return the result of an execution in which something was cancelled: the others go on."""
    return failure(RuntimeError("publish was cancelled"))


def body_of(result: ExecutionResult) -> Body | None:
    """Return a notification's payload as JSON, None where `publish` skipped it."""
    told = result.data and any(value is not None for value in result.data.values())
    if not result.errors and not told:
        return None
    try:
        return _encoded(result)
    except Exception as error:
        # A scalar of the application's gave what JSON does not have.
        return _encoded(failure(error))


def _encoded(result: ExecutionResult) -> Body:
    return Body(encode(response(result.data, result.errors)))
