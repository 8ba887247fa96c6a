"""`python -m bench.part MODULE FILE`: one measurement in a process of its own, so that none meets another's leftovers.

Prints each report when it is there, and adds it to the file as a line of JSON.
"""

import importlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import json

from bench.report import Report


def main(module: str, file: Path) -> None:
    """Measure; what it started ends with it, by SIGTERM too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with file.open("ab", buffering=0) as told:
        began = time.monotonic()
        for report in _reports(module):
            told.write(json.encode(report) + b"\n")
            print(f"{report}\n({time.monotonic() - began:.0f} s)", flush=True)
            began = time.monotonic()


def _reports(module: str) -> Iterator[Report]:
    found = importlib.import_module(module).run()
    yield from [found] if isinstance(found, Report) else found


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
