"""Events that pass the log: the newest of them, in memory only."""

import itertools
from collections import OrderedDict, deque
from operator import attrgetter
from typing import Any

from live.log.events import Event

# Kept for those who cannot take them just now.
MOST_KEPT = 256
MOST_BYTES_KEPT = 1_048_576
# Groups whose newest event, and whose newest ends, are kept beside them.
MOST_GROUPS = 10_000
MOST_ENDS = 16


class TransientBuffer:
    """The events of subscriptions that are not durable: the newest, in memory only.

    A group's newest event stays when others' push out all before it, and so do its newest ends:
    whoever is suspended meanwhile is to see the one, and must end by the first of the others.
    """

    def __init__(self) -> None:
        self.position = self.forgets = 0
        self._newest: deque[Event] = deque(maxlen=MOST_KEPT)
        self._newest_of_groups: OrderedDict[str, Event] = OrderedDict()
        self._ends_of_groups: OrderedDict[str, deque[Event]] = OrderedDict()

    def add(self, event: Event) -> None:
        """Keep `event` for a while."""
        for group in event.groups:
            if event.ends:
                ends = self._ends_of_groups.get(group) or deque(maxlen=MOST_ENDS)
                ends.append(event)
                _keep(self._ends_of_groups, group, ends)
            else:
                _keep(self._newest_of_groups, group, event)
        if event.ends:
            return
        self._newest.append(event)
        for kept in (self._newest, self._newest_of_groups.values()):
            if sum(len(each.packed) for each in kept) > MOST_BYTES_KEPT:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._newest.popleft()
        self._newest_of_groups.popitem(last=False)

    async def after(self, number: int) -> list[Event]:
        """Return what is left of the events after `number`."""
        of_groups = self._newest_of_groups.values()
        ends = itertools.chain.from_iterable(self._ends_of_groups.values())
        kept = {event.number: event for event in (*self._newest, *of_groups, *ends)}
        found = [event for event in kept.values() if number < event.number <= self.position]
        return sorted(found, key=attrgetter("number"))


def _keep(of_groups: OrderedDict[str, Any], group: str, value: Any) -> None:
    of_groups[group] = value
    of_groups.move_to_end(group)
    if len(of_groups) > MOST_GROUPS:
        of_groups.popitem(last=False)
