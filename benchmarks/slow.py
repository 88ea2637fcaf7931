"""Does one client that does not read delay the others? `python -m benchmarks.slow`

Among the subscribers is one that has 20 subscriptions of some 4 KB a notification. In one
half of the run it reads them, in the other it does not: the server does the same work, so
what differs is the waiting.
"""

import argparse
from dataclasses import dataclass

from benchmarks import machine, wire
from benchmarks.load import PATIENCE_SECONDS, Load
from benchmarks.servers import APPLICATIONS, COMMANDS, Kind, Server, house
from benchmarks.sockets import Client

SUBSCRIPTIONS = 20
# The least that Linux gives: what the client does not read stays with the server.
RECEIVE_BYTES = 2304
# As many aliases as Wardcast allows by default.
ALIASES = " ".join(f"message_number_{n:02}_under_a_long_name: message" for n in range(50))
BIG = f"subscription ($category: String) {{ onNewPatient(category: $category) {{ {ALIASES} }} }}"


class BigSubscriber(Client):
    """A client with many large subscriptions, which can stop reading."""

    confirmed = 0
    close_seen = False

    def on_ack(self) -> None:
        for number in range(SUBSCRIPTIONS):
            self.send(wire.request(f"{number}", BIG, category="B00"))

    def on_message(self, message: dict, size: int) -> None:
        self.confirmed += 1

    def on_close(self) -> None:
        self.close_seen = True

    def stop_reading(self) -> None:
        self.poller.remove(self)


@dataclass
class Half:
    """One half of the run."""

    p50: float
    p99: float
    events: int
    grown_mb: float
    """By which the server's memory grew."""


def measure(kind: Kind, subscribers: int, seconds: float) -> tuple[Half, Half, str]:
    """Return both halves, and what became of the socket that did not read."""
    with (
        house(redis=False) as shared,
        Server(kind, shared) as server,
        machine.pinned(machine.cores()[1]),
    ):
        load = Load(server)
        big = BigSubscriber(
            load.poller, server.port, shared.cookies["subscribers"][0], RECEIVE_BYTES
        )
        load.poller.run_until(
            lambda: big.confirmed == SUBSCRIPTIONS, PATIENCE_SECONDS, "the slow client"
        )
        load.subscribe(subscribers)
        load.drive(width=1, seconds=0, least=5)
        server.ask("stamps")
        halves = [_half(load, seconds)]
        big.stop_reading()
        halves.append(_half(load, seconds))
        fate = _fate(big)
        load.close()
    return halves[0], halves[1], fate


def _half(load: Load, seconds: float) -> Half:
    before = load.server.resident()
    window = load.drive(width=1, seconds=seconds)
    grown = (load.server.resident() - before) / 2**20
    took = load.latencies(window)
    return Half(took[len(took) // 2], took[len(took) * 99 // 100], window.count, grown)


def _fate(big: BigSubscriber) -> str:
    """Read what the server had for the client in the end."""
    big.poller.add(big)
    while not big.close_seen and big.poller.turn(1.0):
        pass
    return f"closed with {big.close_code or 'no code'}" if big.close_seen else "still connected"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow", description=__doc__)
    parser.add_argument("--application", choices=APPLICATIONS, default="wardcast")
    parser.add_argument("--hosts", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--subscribers", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each half")
    options = parser.parse_args()
    machine.raise_file_limit(2 * options.subscribers + 500)
    print(
        "| server | the slow client | events | p50 ms | p99 ms | server grew by MB |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |"
    )
    for host in options.hosts:
        kind = Kind(options.application, host)
        reads, silent, fate = measure(kind, options.subscribers, options.seconds)
        for what, half in (("reads", reads), (f"does not read; {fate}", silent)):
            figures = f"{half.p50:.1f} | {half.p99:.1f} | {half.grown_mb:.1f}"
            print(f"| {kind} | {what} | {half.events} | {figures} |")
        changes = f"{_change(reads.p50, silent.p50)} | {_change(reads.p99, silent.p99)}"
        print(f"| {kind} | change | | {changes} | |")


def _change(before: float, after: float) -> str:
    return f"{(after / before - 1) * 100:+.0f} %"


if __name__ == "__main__":
    main()
