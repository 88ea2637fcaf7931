"""Pages of plain lists."""

from live import metrics
from live.conf import conf
from live.errors import BadInput


def page_size(name: str, count: int | None) -> int:
    """Return how many rows the argument `name` asks for; without it, as many as may be.

    Raises BadInput for less than none or too many.
    """
    if count is None:
        return int(conf.MAX_PAGE_SIZE)
    if count < 0:
        raise BadInput(f"{name} may not be negative.")
    if count > conf.MAX_PAGE_SIZE:
        metrics.limits.labels(limit="page_size").inc()
        raise BadInput(f"{name} may be {conf.MAX_PAGE_SIZE} at most.")
    return count
