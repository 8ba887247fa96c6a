"""What a server process costs: memory from /proc, CPU from its own clock (Linux)."""

import time
from pathlib import Path

from msgspec import Struct

KIB = 1024


class Memory(Struct, frozen=True):
    """Bytes resident in a process and its children: all of them, and with shared pages divided among who maps them."""

    rss: int
    pss: int


def family(pid: int) -> list[int]:
    """Return a process and its children, as nginx has them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def memory(pid: int) -> Memory:
    """Return what a process and its children hold now."""
    rollups = [_rollup(member) for member in family(pid)]
    return Memory(sum(r["Rss"] for r in rollups), sum(r["Pss"] for r in rollups))


def cpu(pid: int) -> float:
    """Return the seconds, user and system, that a process and its children have computed so far.

    The kernel keeps a clock per process in nanoseconds; /proc/<pid>/stat shows the same in steps of 10 ms.
    """
    return sum(time.clock_gettime_ns(_clock(member)) for member in family(pid)) / 1e9


def _clock(pid: int) -> int:
    """Return the id of a process' CPU clock, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | 2


def _rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(size.split()[0]) * KIB for name, size in (line.split(":") for line in lines)}
