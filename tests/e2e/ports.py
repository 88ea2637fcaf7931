"""Ports for the servers of tests."""

import contextlib
import random
import socket

PORTS = range(15_000, 32_000)


def free_port() -> int:
    """Return a free TCP port that stays free while whatever has it is restarted.

    It is below those that Linux gives to clients: one that tries to connect again and again
    would be given the very port that it tries, and keep it.
    """
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
