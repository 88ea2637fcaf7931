"""Following patients' events, over as many connections as it takes."""

import asyncio
from datetime import UTC, datetime
from typing import Any, NoReturn

from example_client.backoff import Backoff
from example_client.errors import Refused, Unreachable, code_of, from_graphql
from example_client.operations import WATCHED, Subscription
from example_client.output import Event, Output
from example_client.session import Client, Endpoint, connected

# A server that confirms subscriptions does so at once; others never do.
CONFIRM_SECONDS = 2.0
# With these, the server will give the same answer to every attempt.
FINAL_CODES = {"UNAUTHENTICATED", "FORBIDDEN", "BAD_INPUT", "NOT_FOUND"}


class Watch:
    """Prints every event of a category (of all without one), and reconnects.

    Args:
        backoff: the delays between attempts to reconnect.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        category: str | None,
        output: Output,
        backoff: Backoff | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._category = category
        self._output = output
        self._backoff = backoff or Backoff()
        self._running: dict[str, Subscription] = {}
        self._connected_before = False
        # The loop's time at which this connection's subscriptions began.
        self._since: float | None = None

    async def run(self) -> NoReturn:
        """Watch until cancelled.

        Raises what ends it for good: a refusal, or Unreachable if the very first connection
        fails (then the address is more likely wrong than the server restarting).
        """
        while True:
            try:
                async with connected(self._endpoint) as client:
                    await self._follow(client)
            except Unreachable as error:
                if not self._connected_before:
                    raise
                await self._pause(error)

    async def _pause(self, error: Unreachable) -> None:
        now = asyncio.get_running_loop().time()
        # Only a connection that lasted counts as a success: a server that accepts and dies
        # would otherwise be tried again twice a second.
        if self._since is not None and now - self._since > self._backoff.longest:
            self._backoff.reset()
        self._since = None
        delay = self._backoff.next_delay()
        self._output.status(f"{error}, trying again in {delay:.1f} s")
        await asyncio.sleep(delay)

    async def _follow(self, client: Client) -> NoReturn:
        self._running = {
            await client.start(subscription.document, variables=self._variables()): subscription
            for subscription in WATCHED
        }
        await self._confirmation(client)
        self._begin()
        while True:
            self._take(await client.receive_message())

    def _variables(self) -> dict[str, Any]:
        return {"category": self._category} if self._category is not None else {}

    async def _confirmation(self, client: Client) -> None:
        """Wait until every subscription is known to run, or the server had time to say so.

        Its confirmation is a `next` without data. One with data shows the same, and is an event.
        """
        waiting = set(self._running)
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                while waiting:
                    message = await client.receive_message()
                    self._take(message)
                    waiting.discard(message.get("id", ""))
        except TimeoutError:
            pass

    def _begin(self) -> None:
        what = f"category {self._category}" if self._category else "all categories"
        watching = f"watching {what} at {self._endpoint.url}"
        if self._connected_before:
            watching = f"connected again, {watching}; what happened in between is not shown"
        self._connected_before = True
        self._since = asyncio.get_running_loop().time()
        self._output.status(watching)

    def _take(self, message: dict[str, Any]) -> None:
        """Print an event; raise what a subscription's end means."""
        subscription = self._running.get(message.get("id", ""))
        if subscription is None:
            return
        payload = message.get("payload")
        if message.get("type") == "error":
            raise from_graphql(payload)
        if message.get("type") == "complete":
            raise Refused(f"the server ended the subscription {subscription.field}")
        if isinstance(payload, dict):
            self._check(payload.get("errors") or [])
            notification = (payload.get("data") or {}).get(subscription.field)
            if notification:
                self._output.event(event_of(subscription, notification))

    def _check(self, errors: list[dict[str, Any]]) -> None:
        if not errors:
            return
        error = from_graphql(errors)
        if {code_of(each) for each in errors} & FINAL_CODES:
            raise error
        # The subscription may live on: the server failed over one event.
        self._output.status(f"an event came with an error: {error}")


def event_of(subscription: Subscription, notification: dict[str, Any]) -> Event:
    """Return a notification as an event that came in now."""
    return Event(
        kind=subscription.kind(notification),
        message=notification.get("message") or "",
        patient=notification.get("patient"),
        received_at=datetime.now(UTC),
    )
