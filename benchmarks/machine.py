"""What is asked of the machine: cores, CPU clocks, memory, file descriptors, ports."""

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def cores() -> tuple[int, int]:
    """Return the core for the server and the core for the load (the same where there is one)."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def pin(core: int) -> None:
    """Keep this process, and what it starts, on `core`."""
    os.sched_setaffinity(0, {core})


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process, and what it starts, on `core` meanwhile.

    Not for good where servers are started one after the other: the next one's core is found
    among those that this process may use.
    """
    before = os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that all threads of process `pid` have used.

    From the kernel's CPU clock of the process, in nanoseconds: /proc/PID/stat counts the
    same, in steps of 10 ms. (The clock's id is made as clock_getcpuclockid(3) makes it.)
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_bytes(pid: int) -> int:
    """Return the resident set size of process `pid`."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def raise_file_limit(wanted: int) -> None:
    """Allow this process, and what it starts, `wanted` open files; raise SystemExit if not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(f"{wanted} open files are needed, the limit is {hard} (ulimit -Hn)")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def description() -> dict[str, str | int]:
    """Return what a reader of the results should know of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "?")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "load_before": os.getloadavg()[0],
    }
