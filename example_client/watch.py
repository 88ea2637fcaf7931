"""Following patients' events, over as many connections as it takes."""

import asyncio
from datetime import UTC, datetime
from typing import Any, NoReturn

from example_client.backoff import Backoff
from example_client.errors import (
    ClientError,
    EventsMissed,
    Refused,
    Unreachable,
    from_graphql,
)
from example_client.operations import POSITION, WATCHED, Subscription
from example_client.output import Event, Output
from example_client.session import Client, Endpoint, connected
from example_client.state import StateFile, what_is_watched

# A server that confirms subscriptions does so at once; others never do.
CONFIRM_SECONDS = 2.0
# With these, the server will give the same answer to every attempt.
FINAL_CODES = {"UNAUTHENTICATED", "FORBIDDEN", "BAD_INPUT", "NOT_FOUND"}
# With these, it cannot go on from the cursor that it was given.
LOST_PLACE_CODES = {"CURSOR_EXPIRED", "BAD_CURSOR"}


class Watch:
    """Prints every event of a category (of all without one) once, whatever is in between.

    It keeps the cursor of each subscription's last event, and comes back with it: so nothing
    is missed, and nothing printed twice.

    Args:
        backoff: the delays between attempts to reconnect.
        state: where the cursors outlive this process, None where they need not.
        strict: end with EventsMissed, rather than go on, where events are gone.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        category: str | None,
        output: Output,
        backoff: Backoff | None = None,
        state: StateFile | None = None,
        strict: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._category = category
        self._output = output
        self._backoff = backoff or Backoff()
        self._state = state
        self._strict = strict
        # By subscription, the place after its last event that was printed.
        self._cursors: dict[str, str] = state.load() if state else {}
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
            except PlaceLost as lost:
                await self._give_up_place(lost)
            except (Unreachable, Refused) as error:
                if not self._may_come_back(error):
                    raise
                await self._pause(error)

    def _may_come_back(self, error: ClientError) -> bool:
        """Tell whether another attempt may help: the server was right once, and may be again."""
        if not self._connected_before:
            return False
        codes = error.codes
        return isinstance(error, Unreachable) or (bool(codes) and not codes & FINAL_CODES)

    async def _pause(self, error: ClientError) -> None:
        now = asyncio.get_running_loop().time()
        # Only a connection that lasted counts as a success: a server that accepts and dies
        # would otherwise be tried again twice a second.
        if self._since is not None and now - self._since > self._backoff.longest:
            self._backoff.reset()
        self._since = None
        delay = self._backoff.next_delay()
        self._output.status(f"{error}, trying again in {delay:.1f} s")
        await asyncio.sleep(delay)

    async def _give_up_place(self, lost: "PlaceLost") -> None:
        """Say what is missing, and go on from now; raise EventsMissed where that is not wanted."""
        missing = f"{lost.subscription.tells} may be missing here: {lost}"
        if self._strict:
            raise EventsMissed(missing)
        self._output.status(f"{missing}; going on from now, `patients` lists who is there")
        del self._cursors[lost.subscription.field]
        await asyncio.sleep(self._backoff.next_delay())

    async def _follow(self, client: Client) -> NoReturn:
        resumed = len(self._cursors) == len(WATCHED)
        await self._find_places(client)
        self._running = {
            await client.start(one.document, variables=self._variables(one)): one for one in WATCHED
        }
        await self._confirmation(client)
        self._begin(resumed)
        while True:
            self._take(await client.receive_message())

    async def _find_places(self, client: Client) -> None:
        """Begin where the server's log ends, before subscribing: so nothing falls in between."""
        without = [one.field for one in WATCHED if one.field not in self._cursors]
        if without:
            position: str = (await client.execute(POSITION))["position"]
            self._cursors |= dict.fromkeys(without, position)

    def _variables(self, subscription: Subscription) -> dict[str, Any]:
        after = {"after": self._cursors[subscription.field]}
        return {**after, "category": self._category} if self._category is not None else after

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

    def _begin(self, resumed: bool) -> None:
        again = "connected again, " if self._connected_before else ""
        where = f"{what_is_watched(self._category)} at {self._endpoint.url}"
        place = " from where it stopped" if resumed else ""
        self._connected_before = True
        self._since = asyncio.get_running_loop().time()
        self._remember()
        self._output.status(f"{again}watching {where}{place}")

    def _take(self, message: dict[str, Any]) -> None:
        """Print an event; raise what a subscription's end means."""
        subscription = self._running.get(message.get("id", ""))
        if subscription is None:
            return
        payload = message.get("payload")
        if message.get("type") == "error":
            raise self._error(subscription, payload)
        if message.get("type") == "complete":
            raise Refused(f"the server ended the subscription {subscription.field}")
        if isinstance(payload, dict):
            self._check(subscription, payload.get("errors") or [])
            notification = (payload.get("data") or {}).get(subscription.field)
            if notification:
                self._print(subscription, notification)

    def _error(self, subscription: Subscription, errors: Any) -> ClientError:
        error = from_graphql(errors)
        return PlaceLost(subscription, error) if error.codes & LOST_PLACE_CODES else error

    def _check(self, subscription: Subscription, errors: list[dict[str, Any]]) -> None:
        if not errors:
            return
        error = self._error(subscription, errors)
        # After a database that was away, the event comes once more.
        if isinstance(error, PlaceLost | Unreachable) or error.codes & FINAL_CODES:
            raise error
        # The subscription may live on: the server failed over one event.
        self._output.status(f"an event came with an error: {error}")

    def _print(self, subscription: Subscription, notification: dict[str, Any]) -> None:
        """Print an event and remember that it was, without a wait in between."""
        self._output.event(event_of(subscription, notification))
        self._cursors[subscription.field] = notification["cursor"]
        self._remember()

    def _remember(self) -> None:
        if self._state is not None:
            self._output.settle()
            self._state.save(self._cursors)


class PlaceLost(ClientError):
    """The server cannot go on from a subscription's cursor; the text is why."""

    def __init__(self, subscription: Subscription, error: ClientError) -> None:
        super().__init__(str(error), error.codes)
        self.subscription = subscription


def event_of(subscription: Subscription, notification: dict[str, Any]) -> Event:
    """Return a notification as an event that came in now."""
    return Event(
        kind=subscription.kind(notification),
        message=notification.get("message") or "",
        patient=notification.get("patient"),
        received_at=datetime.now(UTC),
        cursor=notification["cursor"],
    )
