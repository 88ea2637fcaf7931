"""Results as Markdown tables, with ratios to the floor and to the library of the same run."""

from collections.abc import Callable, Iterable

from benchmarks.measure import Result


def markdown(results: list[Result]) -> str:
    """Return all the tables."""
    parts = [_deliveries(results), _sockets(results), _queries(results), _checks(results)]
    return "\n\n".join(part for part in parts if part)


def _deliveries(results: list[Result]) -> str:
    head = [
        *("server", "subscribers", "groups", "CPU µs a delivery", "÷ floor", "library ÷ it"),
        *("by mutations", "flooded", "deliveries/s", "p50 ms", "p99 ms"),
        *("longest block ms", "flooded, ms"),
    ]
    rows = [
        [
            *(_name(r), f"{r.subscribers:,}", str(r.groups), f"{r.cpu_us:.1f}"),
            *(_over_floor(r, results, "cpu_us"), _library_over(r, results, "cpu_us")),
            *(f"{r.paced_cpu_us:.1f}", f"{r.flood_cpu_us:.1f}"),
            *(f"{r.per_second:,.0f}", f"{r.p50_ms:.1f}", f"{r.p99_ms:.1f}"),
            *(f"{r.longest_block_ms:.0f}", f"{r.flood_block_ms:.0f}"),
        ]
        for r in results
    ]
    return "### Deliveries\n\n" + _table(head, rows)


def _sockets(results: list[Result]) -> str:
    head = [
        *("server", "subscribers", "KB a socket", "more than the floor", "new subscribers/s"),
        *("CPU µs a new subscriber", "library ÷ it", "idle, % of a core"),
    ]
    rows = []
    for r in results:
        floor = _other(r, results, "floor")
        more = f"{r.kb_a_socket - floor.kb_a_socket:+.1f}" if floor else "–"
        rows.append(
            [
                *(_name(r), f"{r.subscribers:,}", f"{r.kb_a_socket:.1f}", more),
                *(f"{r.subscribers_per_second:,.0f}", f"{r.cpu_us_a_subscriber:,.0f}"),
                *(_library_over(r, results, "cpu_us_a_subscriber"), f"{r.idle_percent:.1f}"),
            ]
        )
    return "### Sockets\n\n" + _table(head, rows)


def _queries(results: list[Result]) -> str:
    head = ["server", "`{ __typename }` µs", "library ÷ it", "20 rows µs", "library ÷ it"]
    rows = [
        [
            *(_name(r), f"{r.typename_us:,.0f}", _library_over(r, results, "typename_us")),
            *(f"{r.page_us:,.0f}", _library_over(r, results, "page_us")),
        ]
        for r in results
        if r.typename_us is not None and r.page_us is not None
    ]
    return "### Queries over a socket\n\n" + _table(head, rows) if rows else ""


def _checks(results: list[Result]) -> str:
    """Return what must hold for the figures to mean anything."""
    head = [
        *("server", "subscribers", "groups", "delivered", "missing", "subscribers out of order"),
        *(
            "sockets lost",
            "load's µs a delivery",
            "÷ server's",
            "a mutation alone, µs",
            "a broadcast alone, µs",
        ),
    ]
    rows = [
        [
            *(_name(r), f"{r.subscribers:,}", str(r.groups), f"{r.deliveries:,}"),
            *(f"{r.missing:,}", f"{r.out_of_order:,}", f"{r.lost_sockets:,}"),
            *(
                f"{r.client_us:.1f}",
                f"{r.client_us / r.cpu_us:.2f}",
                f"{r.mutation_us:,.0f}",
                f"{r.broadcast_us:,.0f}",
            ),
        ]
        for r in results
    ]
    return "### Checks\n\n" + _table(head, rows)


def _name(result: Result) -> str:
    return f"{result.application}, {result.host}" + (", Redis" if result.layer == "redis" else "")


def _other(result: Result, results: Iterable[Result], application: str) -> Result | None:
    """Return `application` in the same situation; the floor's has no channel layer."""
    layer = "memory" if application == "floor" else result.layer
    key = (application, result.host, layer, result.subscribers, result.groups)
    return next(
        (r for r in results if (r.application, r.host, r.layer, r.subscribers, r.groups) == key),
        None,
    )


def _ratio(
    result: Result,
    results: list[Result],
    application: str,
    compute: Callable[[Result, Result], float | None],
) -> str:
    other = _other(result, results, application)
    if other is None or result.application == application:
        return "–"
    value = compute(result, other)
    return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _over_floor(result: Result, results: list[Result], name: str) -> str:
    return _ratio(result, results, "floor", lambda r, o: getattr(r, name) / getattr(o, name))


def _library_over(result: Result, results: list[Result], name: str) -> str:
    if "floor" in result.application:
        return "–"

    def compute(mine: Result, library: Result) -> float | None:
        theirs = getattr(library, name)
        return None if theirs is None else theirs / getattr(mine, name)

    return _ratio(result, results, "library", compute)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
