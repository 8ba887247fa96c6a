"""`make run` as a person uses it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from workers.demo.engines import Process

THUMBNAIL = re.compile(r'^data: .*"thumbnail_url":"([^"]+)"')


def children_of(pid: int) -> set[int]:
    """All processes that descend from a process."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listed.splitlines())}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def address(demo: Process) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and demo.code is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+", demo.tail()):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(demo.tail())


def test_the_demo_shows_moving_jobs_and_leaves_no_process(tmp_path: Path) -> None:
    demo = Process("demo", [sys.executable, "-m", "workers", "demo"], tmp_path / "demo.log", {"TMPDIR": str(tmp_path)})
    try:
        url = address(demo)
        assert "<title" in httpx.get(url).text
        with httpx.stream("GET", f"{url}/api/v1/jobs/events", timeout=30) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            shown = next(found[1] for line in stream.iter_lines() if (found := THUMBNAIL.search(line)))
        picture = httpx.get(f"{url}{shown}")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        started = children_of(demo.pid)
        assert len(started) >= 5
        demo.send(signal.SIGINT)
        assert demo.wait(30) == 0
        assert [pid for pid in started if is_running(pid)] == []
    finally:
        demo.stop()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
