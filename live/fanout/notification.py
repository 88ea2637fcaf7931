"""What an execution's outcome is to clients: a notification, its errors, or nothing."""

import asyncio
from collections.abc import Awaitable

from graphql import ExecutionResult, GraphQLError

from live.execution.response import Body, encode, response


async def settled(outcome: Awaitable[ExecutionResult]) -> ExecutionResult:
    """Return the result that `outcome` comes to; whatever it raises is the result's error."""
    try:
        return await outcome
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # What `publish` waited for was cancelled, not this: the next event is to run.
        return failure(RuntimeError("publish was cancelled"))
    except Exception as error:
        return failure(error)


def failure(error: Exception) -> ExecutionResult:
    """Return the result of an execution that raised `error`."""
    return ExecutionResult(None, [GraphQLError("", original_error=error)])


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
