"""The load on one server: subscribers that listen, and a driver that makes it happen."""

import gc
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import wire
from benchmarks.servers import Server
from benchmarks.sockets import Announcer, Driver, Poller, Subscriber, Tally, close_all

# Handshakes that go on at the same time: daphne's backlog is 50.
CONNECTING_AT_ONCE = 32
PATIENCE_SECONDS = 60

# Sets an event off, given its patient's name and category; what it returns tells whether
# the server has answered.
Send = Callable[[str, str], Callable[[], bool]]


@dataclass
class Window:
    """What was measured while the load did one thing."""

    count: int = 0
    """Mutations, sockets or queries."""
    deliveries: int = 0
    missing: int = 0
    seconds: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    numbers: range = field(default_factory=lambda: range(0))

    @property
    def server_cpu_each(self) -> float:
        """Return the server's CPU seconds for each of `count`."""
        return self.server_cpu / max(1, self.count)


class Load:
    """Everything that talks to one server.

    Args:
        server: running.
        groups: subscribers are spread over so many, and mutations go to them in turn.
    """

    def __init__(self, server: Server, groups: int = 1) -> None:
        self.server, self.groups = server, groups
        self.poller, self.tally = Poller(), Tally()
        self.subscribers: list[Subscriber] = []
        self.number = 0  # of the next event
        self.driver = Driver(self.poller, server.port, server.house.cookies["driver"])
        self.poller.run_until(lambda: self.driver.ready, PATIENCE_SECONDS, "the driver's ack")

    def close(self) -> None:
        close_all([*self.subscribers, self.driver])

    # ---- measuring

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Measure what is done inside."""
        window = Window()
        gc.collect()
        gc.disable()
        cpu, own, start = self.server.cpu(), time.process_time(), time.monotonic()
        try:
            yield window
        finally:
            window.seconds = time.monotonic() - start
            window.server_cpu = self.server.cpu() - cpu
            window.client_cpu = time.process_time() - own
            gc.enable()

    # ---- subscribers

    def subscribe(self, count: int) -> Window:
        """Open sockets until there are `count` subscribers, 32 handshakes at a time."""
        tally, cookies = self.tally, self.server.house.cookies["subscribers"]
        missing = count - len(self.subscribers)
        with self.window() as window:
            window.count = missing
            while tally.subscribed < count:
                while len(self.subscribers) < min(count, tally.subscribed + CONNECTING_AT_ONCE):
                    index = len(self.subscribers)
                    self.subscribers.append(self._subscriber(index, cookies[index % len(cookies)]))
                waiting_for = tally.subscribed + 1
                self.poller.run_until(
                    lambda wanted=waiting_for: tally.subscribed >= wanted,
                    *(PATIENCE_SECONDS, "a subscription's confirmation"),
                )
        return window

    def _subscriber(self, index: int, cookie: str) -> Subscriber:
        group = index % self.groups
        return Subscriber(self.poller, self.server.port, cookie, self.tally, group)

    def unsubscribe(self) -> None:
        """Close all subscribers' sockets."""
        close_all(self.subscribers)
        self.subscribers, self.tally.subscribed = [], 0

    # ---- mutations

    def announce(self, *, seconds: float, least: int = 3) -> Window:
        """Broadcast without mutations, one after the other has reached all its subscribers."""
        # A new connection: uvicorn closes one that rests for five seconds.
        announcer, asked = Announcer(self.poller, self.server.port), 0

        def send(name: str, category: str) -> Callable[[], bool]:
            nonlocal asked
            asked = wanted = asked + 1
            announcer.announce(name, category)
            return lambda: announcer.answers >= wanted

        try:
            return self._drive(send, 1, seconds, least)
        finally:
            announcer.close()

    def drive(self, *, width: int, seconds: float, least: int = 3) -> Window:
        """Send mutations, `width` of them under way at any time, for `seconds`.

        One is done when it is answered and has reached all its subscribers. At least
        `least` are sent.
        """

        def send(name: str, category: str) -> Callable[[], bool]:
            id, input = f"m{name}", {"name": name, "category": category}
            self.driver.send(wire.request(id, wire.MUTATION, input=input))
            return lambda: id in self.driver.answered

        return self._drive(send, width, seconds, least)

    def _drive(self, send: Send, width: int, seconds: float, least: int) -> Window:
        under_way: deque[tuple[int, int, Callable[[], bool]]] = deque()
        first, deadline = self.number, time.monotonic() + seconds
        with self.window() as window:
            while True:
                sent = self.number - first
                more = sent < least or time.monotonic() < deadline
                if more and len(under_way) < width:
                    under_way.append(self._next_event(send))
                elif not under_way:
                    break
                else:
                    self._await(under_way, window)
        window.numbers = range(first, self.number)
        window.count = len(window.numbers)
        window.deliveries = sum(len(self.tally.arrivals[n]) for n in window.numbers)
        return window

    def _next_event(self, send: Send) -> tuple[int, int, Callable[[], bool]]:
        number, self.number = self.number, self.number + 1
        self.tally.arrivals[number] = array("q")
        group = number % self.groups
        listening = len(range(group, len(self.subscribers), self.groups))
        return number, listening, send(wire.patient_name(number), f"B{group:02}")

    def _await(self, under_way: deque[tuple[int, int, Callable[[], bool]]], window: Window) -> None:
        number, listening, answered = under_way.popleft()
        arrivals = self.tally.arrivals[number]
        try:
            self.poller.run_until(
                lambda: len(arrivals) >= listening and answered(),
                *(PATIENCE_SECONDS, f"event {number}"),
            )
        except TimeoutError:
            window.missing += listening - len(arrivals)

    def latencies(self, window: Window) -> list[float]:
        """Return the sorted milliseconds from commit to client of every delivery in `window`."""
        stamps = {int(number): at for number, at in self.server.ask("stamps").items()}
        return sorted(
            (arrival - stamps[number]) / 1e6
            for number in window.numbers
            for arrival in self.tally.arrivals[number]
            if number in stamps
        )

    def out_of_order(self, *paced: Window) -> int:
        """Return how many subscribers did not get their events in order, each once.

        In `paced`, where each event waited for the one before, that is the order in
        which they were sent. Mutations under way together commit in an order of their own:
        there, all of a group must have seen the same one.
        """
        wrong = 0
        for index, subscriber in enumerate(self.subscribers):
            group, seen = index % self.groups, subscriber.seen
            exact = all(
                [n for n in seen if n in window.numbers]
                == [n for n in window.numbers if n % self.groups == group]
                for window in paced
            )
            wrong += not (exact and seen == self.subscribers[group].seen)
        return wrong

    # ---- queries

    def query(self, query: str, *, seconds: float, width: int = 4) -> Window:
        """Run `query` on the driver's socket, over and over, `width` at a time."""
        deadline = time.monotonic() + seconds
        sent, answered = 0, self.driver.answered
        answered.clear()
        with self.window() as window:
            while time.monotonic() < deadline:
                while sent - len(answered) < width:
                    self.driver.send(wire.request(f"q{sent}", query))
                    sent += 1
                self.poller.turn()
            self.poller.run_until(lambda: len(answered) >= sent, PATIENCE_SECONDS, query)
        window.count = sent
        return window

    def idle(self, seconds: float) -> Window:
        """Do nothing but answer pings."""
        deadline = time.monotonic() + seconds
        with self.window() as window:
            while (left := deadline - time.monotonic()) > 0:
                self.poller.turn(left)
        return window
