"""Measurements as processes: what one that fails takes with it, and what not."""

import subprocess
import sys
import time
from pathlib import Path

from bench.runner import descendants, end_by_force, run_groups
from tests.test_demo import is_running


def test_one_that_fails_loses_neither_the_others_nor_what_it_had_found() -> None:
    (found,) = run_groups([["broken", "fine"]], {"broken": "tests.bench.broken", "fine": "tests.bench.fine"})
    assert "code 1" in found["broken"].failed
    assert [report.title for report in found["broken"].reports] == ["Before it broke"]
    assert not found["fine"].failed
    assert [report.title for report in found["fine"].reports] == ["Fine"]


def test_what_a_measurement_started_has_ended_with_it() -> None:
    (found,) = run_groups([["broken"]], {"broken": "tests.bench.broken"})
    assert not is_running(int(found["broken"].reports[0].rows[0][0]))


def test_what_does_not_end_is_killed_with_all_that_it_started() -> None:
    inner = "import time; time.sleep(60)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    child = subprocess.Popen([sys.executable, "-c", outer])
    while not (started := descendants(child.pid)):
        assert child.poll() is None
    end_by_force(child)
    while any(map(computes, started)):  # the kernel ends them when it comes to it
        time.sleep(0.01)


def computes(pid: int) -> bool:
    """Say whether it lives; one that is dead may still be listed until its parent asks for it."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(") ")[2][0] not in "ZX"
