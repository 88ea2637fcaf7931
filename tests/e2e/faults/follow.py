"""A reader that goes on after the last number that it has seen. Pure."""

from collections.abc import Callable, Iterable


def follow(
    read_after: Callable[[int], Iterable[tuple[int, int]]],
    is_complete: Callable[[], bool],
    last: int = 0,
) -> list[int]:
    """Return the ordinals that a reader gets who asks again and again for what is new.

    Args:
        read_after: returns what there is after a number, as (number, ordinal), by number.
        is_complete: whether nothing more is being written. It is asked before each read, so
            that the last read sees everything.
        last: the number to begin after.
    """
    received: list[int] = []
    while True:
        is_last_read = is_complete()
        for number, ordinal in read_after(last):
            last = number
            received.append(ordinal)
        if is_last_read:
            return received
