"""A measurement that starts a process, finds something, and then fails; its file says which process it was."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import items
from bench.report import Report
from workers.demo.engines import free_port


def run() -> Iterator[Report]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        process = items.start(free_port(), Path(name))
        stopping.callback(process.stop)
        yield Report("Before it broke", ["pid"], [[str(process.pid)]])
        raise ValueError(f"{os.getpid()} breaks")
