"""What a client should have got, and what it got. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """What is wrong with a client's events; they are named by their ordinals."""

    lost: list[int] = field(default_factory=list)
    """Committed, and never received."""
    duplicated: list[int] = field(default_factory=list)
    """Received before, each time once more."""
    out_of_order: list[int] = field(default_factory=list)
    """Received after one that was committed later."""
    foreign: list[int] = field(default_factory=list)
    """Received, and never committed, or not for this client."""

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(
            self.lost + other.lost,
            self.duplicated + other.duplicated,
            self.out_of_order + other.out_of_order,
            self.foreign + other.foreign,
        )

    def only(self, ordinals: Collection[int]) -> "Verdict":
        """Return what is wrong with these events."""
        kinds = (self.lost, self.duplicated, self.out_of_order, self.foreign)
        return Verdict(*([o for o in kind if o in ordinals] for kind in kinds))


CLEAN = Verdict()


def judge(expected: Sequence[int], received: Iterable[int]) -> Verdict:
    """Return how `received` differs from `expected`, which is in the order of the commits."""
    verdict, seen, furthest = Verdict(), set(), -1
    place = {ordinal: index for index, ordinal in enumerate(expected)}
    for ordinal in received:
        if ordinal not in place:
            verdict.foreign.append(ordinal)
        elif ordinal in seen:
            verdict.duplicated.append(ordinal)
        elif place[ordinal] < furthest:
            verdict.out_of_order.append(ordinal)
        furthest = max(furthest, place.get(ordinal, -1))
        seen.add(ordinal)
    verdict.lost = [ordinal for ordinal in expected if ordinal not in seen]
    return verdict
