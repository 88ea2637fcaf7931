"""A server and its load for one measurement, each on a core of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import machine
from benchmarks.load import Load
from benchmarks.servers import Kind, Server, house

WARM_UP_SOCKETS = 50


@contextmanager
def server_and_load(kind: Kind) -> Iterator[Load]:
    """Start `kind` on the first core, and yield a load that has warmed it up, on the other."""
    with (
        house(redis=False) as shared,
        Server(kind, shared) as server,
        machine.pinned(machine.cores()[1]),
    ):
        load = Load(server)
        try:
            load.subscribe(WARM_UP_SOCKETS)
            load.drive(width=1, seconds=0, least=20)
            load.unsubscribe()
            load.idle(0.3)
            yield load
        except Exception as error:
            raise RuntimeError(f"{kind}: {error!r}\n{server.printed()}") from error
        finally:
            load.close()
