"""A cache with two bounds: on how many values it keeps, and on how much they weigh together."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Values by key; the one that was kept longest ago makes room."""

    def __init__(self) -> None:
        # Ordered: a plain dict takes ever longer to find its first key where many were deleted.
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._weight = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, key: Hashable) -> Value:
        return self._kept[key][0]

    def pop(self, key: Hashable) -> Value | None:
        """Take a value out and return it, None where there is none."""
        entry = self._kept.pop(key, None)
        if entry is None:
            return None
        self._weight -= entry[1]
        return entry[0]

    def keep(
        self, key: Hashable, value: Value, weight: int, *, most: int, most_weight: int
    ) -> None:
        """Keep `value`, within both bounds: one that is heavier than the second is not kept."""
        self.pop(key)
        self._kept[key] = value, weight
        self._weight += weight
        while self._kept and (len(self._kept) > most or self._weight > most_weight):
            self._weight -= self._kept.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Drop all."""
        self._kept.clear()
        self._weight = 0
