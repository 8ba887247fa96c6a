"""Runs measurements as processes: one that fails, or hangs, loses only itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import json

from bench.machine import load, this_machine
from bench.report import Report
from bench.results import Part, Parts, commit

WITHIN = 600.0  # seconds; some times what the longest takes
END_WITHIN = 30.0  # seconds from SIGTERM to the end of all that a measurement started


class Running:
    """A measurement that runs."""

    def __init__(self, name: str, module: str, directory: Path) -> None:
        self._file = directory / f"{name}.jsonl"
        self._begun = time.monotonic()
        self._at = datetime.now(UTC).isoformat(timespec="seconds")
        self._load = load()
        self._child = subprocess.Popen([sys.executable, "-m", "bench.part", module, str(self._file)])

    def finish(self) -> Part:
        """Wait for its end, make it end where it does not, and return what it found until then."""
        failed = self._wait()
        part = Part(self._at, commit(), this_machine(), self._load)
        part.seconds = round(time.monotonic() - self._begun, 1)
        part.reports = list(self._reports())
        part.failed = failed
        return part

    def end(self) -> None:
        """Have it end all that it started, and end; by force where it does not."""
        if self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            end_by_force(self._child)

    def _wait(self) -> str:
        try:
            code = self._child.wait(WITHIN)
        except subprocess.TimeoutExpired:
            self.end()
            return f"not done within {WITHIN:.0f} s"
        return f"ended with code {code}, its error is above" if code else ""

    def _reports(self) -> Iterator[Report]:
        if self._file.exists():
            for line in self._file.read_bytes().splitlines():
                yield json.decode(line, type=Report)


def run_groups(groups: list[list[str]], modules: Mapping[str, str]) -> Iterator[Parts]:
    """Measure group by group, those of a group at the same time, and give what each found; `modules` says where it is."""
    with TemporaryDirectory() as name:
        for group in groups:
            print(f"\n### {' and '.join(group)}, at a load of {load()}", flush=True)
            yield _run_group({each: modules[each] for each in group}, Path(name))


def _run_group(group: Mapping[str, str], directory: Path) -> Parts:
    with ThreadPoolExecutor(len(group)) as waiting:
        running: dict[str, Running] = {}
        try:
            for name, module in group.items():
                running[name] = Running(name, module, directory)
            return dict(zip(running, waiting.map(Running.finish, running.values()), strict=True))
        finally:
            for part in running.values():
                part.end()


def end_by_force(child: "subprocess.Popen[bytes]") -> None:
    """Kill a process and all that it started."""
    for pid in [*descendants(child.pid), child.pid]:
        with suppress(ProcessLookupError):  # it may end by itself, with its child
            os.kill(pid, signal.SIGKILL)
    child.wait()


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:  # it has ended meanwhile
        return []
    return [each for child in children for each in [*descendants(child), child]]
