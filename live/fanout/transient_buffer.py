"""Events that pass the log: the newest of them, in memory only."""

from collections import deque
from operator import attrgetter

from live.log.events import Event

# Kept for those who cannot take them just now.
MOST_KEPT = 256


class TransientBuffer:
    """The events of subscriptions that are not durable: the newest, in memory only."""

    def __init__(self) -> None:
        self.position = self.forgets = 0
        self._newest: deque[Event] = deque(maxlen=MOST_KEPT)
        # Apart, so that no burst of events pushes out the end of a subscription.
        self._ends: deque[Event] = deque(maxlen=MOST_KEPT)

    def add(self, event: Event) -> None:
        """Keep `event` for a while."""
        (self._ends if event.ends else self._newest).append(event)

    async def after(self, number: int) -> list[Event]:
        """Return what is left of the events after `number`."""
        kept = sorted([*self._newest, *self._ends], key=attrgetter("number"))
        return [event for event in kept if number < event.number <= self.position]
