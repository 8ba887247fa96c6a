"""Memory after many connects and disconnects: what a process keeps of streams that are gone."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench import cost
from bench.hub.load import allow_many_files
from bench.hub.servers import JOBS, Server, Stage, start_headway
from bench.report import Figure, Report, at_most

WAVES = 20
STREAMS = 5_000  # per wave, each with a job and a user of its own
GROWN_IN = 4  # waves until everything has its size
WITHIN = 150.0  # seconds; fewer waves, and loudly so, where the machine is slow
FLAT = at_most(1.05)  # what the last wave may leave behind, against wave GROWN_IN


def run() -> Report:
    """Measure Headway alone: there is nothing to compare with but itself."""
    allow_many_files()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        return _report(uvloop.run(_measure(Path(name), stopping)))


async def _measure(directory: Path, stopping: ExitStack) -> list[int]:
    """Return the bytes resident after each wave."""
    stage = Stage(directory, stopping)
    await stage.fill_table("headway", JOBS[:STREAMS])
    server = start_headway(stage)
    stopping.callback(server.stop)
    until = time.monotonic() + WITHIN
    resident: list[int] = []
    while len(resident) < WAVES and (len(resident) <= GROWN_IN or time.monotonic() < until):
        await _wave(server)
        resident.append(cost.memory(server.process.pid).rss)
    return resident


async def _wave(server: Server) -> None:
    """Open all, let each hear an event, close all."""
    await server.open(JOBS[:STREAMS])
    await server.feed.publish(JOBS[:STREAMS])
    await server.load.keep(0)
    await asyncio.sleep(1)


def _report(resident: Sequence[int]) -> Report:
    grown, last = resident[GROWN_IN - 1], resident[-1]
    streams = (len(resident) - GROWN_IN) * STREAMS
    # A ratio to the process itself, so that it means the same on any machine.
    growth = Figure("churn.growth", last / grown, "×", FLAT, f"RSS after wave {GROWN_IN}", noise=0.05)
    missing = WAVES - len(resident)
    return Report(
        f"Hub: memory after {len(resident) * STREAMS:,} streams that came and went",
        ["after wave", "RSS"],
        [
            *([f"{wave}", f"{rss / 2**20:.1f} MiB"] for wave, rss in enumerate(resident, 1)),
            [f"grown since wave {GROWN_IN}", f"{(last - grown) / streams:.0f} bytes per stream"],
            [f"last ÷ wave {GROWN_IN}: {growth}", growth.verdict],
        ],
        f"{STREAMS:,} streams per wave; each hears an event and is closed by its client. Jobs are read from `bench/items.py`.",
        [growth],
        skipped=[f"{missing} of {WAVES} waves, for time"] if missing else [],
    )
