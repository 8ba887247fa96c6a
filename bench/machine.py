"""The machine that measured, as far as it says something about the numbers."""

import os
import platform
from pathlib import Path

from msgspec import Struct


class Machine(Struct, frozen=True):
    """What it is made of and runs."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.cores} cores of {self.processor}, {self.memory_gib} GiB, {self.system}, Python {self.python}"


def this_machine() -> Machine:
    """Describe the one that this runs on; nothing in it names it."""
    return Machine(
        processor=_after("model name", Path("/proc/cpuinfo")) or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def load() -> float:
    """Return how many processes wanted to compute, on average over the last minute."""
    return round(os.getloadavg()[0], 1)


def _after(name: str, path: Path) -> str:
    """Return what a file of /proc says after a name and a colon."""
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""
