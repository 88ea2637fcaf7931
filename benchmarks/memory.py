"""What do clients that never read cost in memory? `python -m benchmarks.memory`

So many clients subscribe and never read, while a writer beside the server registers patients
as fast as it can. A client that the server throws out comes back at once, with the cursor that
it began with. One more client reads, and must get everything. Resident memory is sampled all
the while, and compared with that before the first client came.
"""

import argparse
import sys
import time
from array import array
from dataclasses import asdict, dataclass

from benchmarks import machine
from benchmarks.load import PATIENCE_SECONDS, Load
from benchmarks.pair import server_and_load
from benchmarks.report import append, table
from benchmarks.resuming import FEW_BYTES, Resumer, Silent, position
from benchmarks.servers import Kind
from benchmarks.writer import Writer

SAMPLE_SECONDS = 0.2
# Between two looks at who was thrown out.
LOOK_SECONDS = 1.0


@dataclass
class Result:
    """One run."""

    server: str
    clients: int
    events: int
    seconds: float
    idle_mb: float
    """Resident memory before the clients."""
    connected_mb: float
    """By which it had grown when all clients were there, before the first event."""
    highest_mb: float
    """By which it had grown at the most."""
    last_mb: float
    """By which it had grown in the end, after a garbage collection."""
    came_back: int
    """How often clients were thrown out."""
    lost: int
    """Events that the client that reads did not get, or not in order."""


class Crowd:
    """The clients that never read."""

    def __init__(self, load: Load, count: int, after: str) -> None:
        self._load, self._after = load, after
        self.came_back = 0
        self._looked = time.monotonic()
        self.clients = [self._client(index) for index in range(count)]

    def look(self) -> None:
        """Have those come back who were thrown out, once a second."""
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for index, client in enumerate(self.clients):
            if not client.is_open:
                client.close()
                self.clients[index] = self._client(index)
                self.came_back += 1

    def _client(self, index: int) -> Silent:
        load = self._load
        cookies = load.server.house.cookies["subscribers"]
        where = (load.poller, load.server.port, cookies[index % len(cookies)])
        return Silent(*where, self._after, receive_bytes=FEW_BYTES)


def measure(kind: Kind, clients: int, events: int) -> Result:
    """Run once."""
    with server_and_load(kind) as load, Writer(load.server) as writer:
        server = load.server
        idle = server.resident()
        after, began = position(server), time.monotonic()
        reader = Resumer(load.poller, server.port, server.house.cookies["driver"], after)
        crowd = Crowd(load, clients, after)
        load.poller.run_until(
            lambda: reader.registered and all(client.registered for client in crowd.clients),
            *(PATIENCE_SECONDS, "the clients"),
        )
        connected = server.resident()
        highest = _sample(load, crowd, writer, reader, events)
        last = server.resident()
    wrong = sum(1 for n in range(events) if n >= len(reader.seen) or reader.seen[n] != n)
    mb = [(resident - idle) / 2**20 for resident in (connected, highest, last)]
    took = time.monotonic() - began
    return Result(str(kind), clients, events, took, idle / 2**20, *mb, crowd.came_back, wrong)


def _sample(load: Load, crowd: Crowd, writer: Writer, reader: Resumer, events: int) -> int:
    """Write all events, and return the most resident bytes there were meanwhile."""
    writing = writer.write(events)
    samples, last_arrival, had = array("q"), time.monotonic(), 0
    while len(reader.seen) < events and time.monotonic() < last_arrival + PATIENCE_SECONDS:
        until = time.monotonic() + SAMPLE_SECONDS
        while (left := until - time.monotonic()) > 0:
            load.poller.turn(left)
        crowd.look()
        samples.append(machine.resident_bytes(load.server.pid))
        if len(reader.seen) > had or writing.is_alive():
            had, last_arrival = len(reader.seen), time.monotonic()
    return max(samples)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--applications", nargs="+", default=["wardcast", "wardcast-frames"])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--most", type=float, default=50.0, help="MB over idle that may be used")
    options = parser.parse_args()
    options.machine = machine.description()
    machine.raise_file_limit(2 * options.clients + 500)
    results = []
    for application in options.applications:
        print(f"{application} …", file=sys.stderr)
        results.append(measure(Kind(application, "uvicorn"), options.clients, options.events))
    head = ["server", "clients that never read", "events", "s", "idle MB", "connected, MB over"]
    head += ["highest, MB over", "in the end, MB over", "came back", "lost by the one that reads"]
    print(table(head, [_row(result) for result in results]))
    append("memory", vars(options), [asdict(result) for result in results])
    if any(r.lost or r.highest_mb > options.most for r in results):
        raise SystemExit(f"More than {options.most} MB over idle, or an event was lost.")


def _row(r: Result) -> list[str]:
    grown = [f"{mb:.1f}" for mb in (r.idle_mb, r.connected_mb, r.highest_mb, r.last_mb)]
    counts = (f"{r.clients}", f"{r.events:,}", f"{r.seconds:.0f}")
    return [r.server, *counts, *grown, str(r.came_back), str(r.lost)]


if __name__ == "__main__":
    main()
