"""One server through all its phases, and what comes out for each number of subscribers."""

from dataclasses import asdict, dataclass

from benchmarks import wire
from benchmarks.load import Load, Window
from benchmarks.servers import House, Kind, Server

# Mutations under way while deliveries a second are counted.
FLOOD_WIDTH = 8
WARM_UP_SOCKETS = 50


@dataclass
class Result:
    """One server with one number of subscribers. CPU is user and system time of its process."""

    application: str
    host: str
    layer: str
    subscribers: int
    groups: int
    deliveries: int
    """Counted in all three phases."""
    missing: int
    out_of_order: int
    """Subscribers that did not get every event once and in order."""
    lost_sockets: int
    cpu_us: float
    """Server CPU for a delivery, of events broadcast one at a time and without a mutation."""
    paced_cpu_us: float
    """The same with mutations, one at a time; their own cost is subtracted."""
    flood_cpu_us: float
    """The same with several mutations under way; their own cost is subtracted."""
    per_second: float
    """Deliveries a second, several mutations under way."""
    p50_ms: float
    """From commit to client, one mutation under way at a time."""
    p99_ms: float
    client_us: float
    """The load's own CPU for a delivery, when `cpu_us` was measured; must be below it."""
    mutation_us: float
    """Server CPU for a mutation that nobody hears of."""
    broadcast_us: float
    """Server CPU for a broadcast that nobody hears of, with the request that asks for it."""
    kb_a_socket: float
    subscribers_per_second: float
    cpu_us_a_subscriber: float
    idle_percent: float
    """Of a core, while nothing happens."""
    longest_block_ms: float
    """Of the event loop, events broadcast one at a time and without mutations."""
    flood_block_ms: float
    """The same with several mutations under way."""
    typename_us: float | None = None
    page_us: float | None = None

    @property
    def series(self) -> tuple[str, str, str, int]:
        return self.application, self.host, self.layer, self.groups

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def measure(
    kind: Kind, house: House, subscribers: int, groups: int, seconds: float, queries: bool
) -> Result:
    """Start the server and take it through all phases, of about `seconds` each."""
    with Server(kind, house) as server:
        load = Load(server, groups)
        try:
            return _Measurement(kind, server, load, seconds).run(subscribers, queries)
        except Exception as error:
            raise RuntimeError(f"{kind}: {error}\n{server.printed()}") from error
        finally:
            load.close()


class _Measurement:
    def __init__(self, kind: Kind, server: Server, load: Load, seconds: float) -> None:
        self.kind, self.server, self.load, self.seconds = kind, server, load, seconds

    def run(self, subscribers: int, queries: bool) -> Result:
        self._warm_up()
        empty = self.server.resident()
        unheard = self.load.announce(seconds=max(1.0, self.seconds / 2)).server_cpu_each
        alone = self._mutations_alone()
        asked = self._queries() if queries and "floor" not in self.kind.application else {}
        joined = self.load.subscribe(subscribers)
        full = self.server.resident()
        idle = self.load.idle(min(2.0, self.seconds))
        self.load.drive(width=1, seconds=0, least=self.load.groups)  # caches, once
        announced = self.load.announce(seconds=self.seconds, least=max(3, self.load.groups))
        self.server.ask("stamps")
        paced = self.load.drive(width=1, seconds=self.seconds, least=max(3, self.load.groups))
        latencies = self.load.latencies(paced)
        width = self._width(paced)
        flood = self.load.drive(width=width, seconds=self.seconds, least=width)
        blocks = self._longest_blocks(width)
        return Result(
            *(self.kind.application, self.kind.host, self.kind.layer),
            subscribers=subscribers,
            groups=self.load.groups,
            deliveries=announced.deliveries + paced.deliveries + flood.deliveries,
            missing=announced.missing + paced.missing + flood.missing,
            out_of_order=self.load.out_of_order(announced, paced),
            lost_sockets=self.load.tally.lost_sockets,
            cpu_us=_each_delivery(announced, unheard),
            paced_cpu_us=_each_delivery(paced, alone[1]),
            flood_cpu_us=_each_delivery(flood, alone[FLOOD_WIDTH if width > 1 else 1]),
            per_second=flood.deliveries / flood.seconds,
            p50_ms=latencies[len(latencies) // 2],
            p99_ms=latencies[len(latencies) * 99 // 100],
            client_us=announced.client_cpu / announced.deliveries * 1e6,
            mutation_us=alone[1] * 1e6,
            broadcast_us=unheard * 1e6,
            kb_a_socket=(full - empty) / subscribers / 1024,
            subscribers_per_second=subscribers / joined.seconds,
            cpu_us_a_subscriber=joined.server_cpu_each * 1e6,
            idle_percent=idle.server_cpu / idle.seconds * 100,
            longest_block_ms=blocks[0],
            flood_block_ms=blocks[1],
            **asked,
        )

    def _warm_up(self) -> None:
        """Let the server import, cache and allocate what its first clients make it."""
        self.load.subscribe(WARM_UP_SOCKETS)
        self.load.drive(width=1, seconds=0, least=20)
        self.load.announce(seconds=0, least=20)
        self.load.unsubscribe()
        self.load.idle(0.3)

    def _mutations_alone(self) -> dict[int, float]:
        """Return a mutation's CPU seconds without any subscriber, by how many are under way.

        It is what is subtracted later: the socket's message, the form, the insert, the
        commit and the broadcast into the channel layer. What remains is the delivery:
        decoding the event, running the selection, encoding it, and writing every frame.
        """
        seconds = max(1.0, self.seconds / 2)
        return {
            width: self.load.drive(width=width, seconds=seconds, least=20).server_cpu_each
            for width in (1, FLOOD_WIDTH)
        }

    def _queries(self) -> dict[str, float]:
        result = {}
        for name, query in (("typename_us", wire.TYPENAME), ("page_us", wire.PAGE)):
            self.load.query(query, seconds=0.2)
            window = self.load.query(query, seconds=self.seconds / 2)
            result[name] = window.server_cpu_each * 1e6
        return result

    def _width(self, paced: Window) -> int:
        """Return how many mutations to have under way: fewer where one takes seconds."""
        each = paced.seconds / paced.count
        return FLOOD_WIDTH if each * FLOOD_WIDTH < self.seconds * 2 else 1

    def _longest_blocks(self, width: int) -> tuple[float, float]:
        seconds = self.seconds / 2
        self.server.ask("lag/start")
        self.load.announce(seconds=seconds)
        announced = self.server.ask("lag/stop")
        self.server.ask("lag/start")
        self.load.drive(width=width, seconds=seconds, least=2)
        return announced, self.server.ask("lag/stop")


def _each_delivery(window: Window, alone: float) -> float:
    return (window.server_cpu - window.count * alone) / window.deliveries * 1e6
