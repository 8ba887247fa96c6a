"""Memory after many connects and disconnects: what a process keeps of streams that are gone."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench import hub_cost
from bench.hub_load import allow_many_files
from bench.hub_servers import Server, fill_table, start_headway
from bench.report import Report
from streams.channel import Channel, connect_redis
from tests.stack import Stack
from workers.engines import free_port, local_aws, start_ministack

WAVES = 20
STREAMS = 5_000  # per wave, each with a job and a user of its own
GROWN_IN = 2  # waves until everything has its size
WITHIN = 600.0  # seconds; fewer waves where the machine is slow
FLAT = 1.05  # how much the last wave may leave behind, against wave GROWN_IN
JOBS = [f"job-{number:05}" for number in range(STREAMS)]


def run() -> Report:
    """Measure Headway alone: there is nothing to compare with but itself."""
    allow_many_files()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        directory = Path(name)
        port = free_port()
        stopping.callback(start_ministack(port, directory).stop)
        stack = Stack(local_aws(port), directory, stopping)
        stack.start_redis()
        return _report(uvloop.run(_measure(stack, stopping)))


async def _measure(stack: Stack, stopping: ExitStack) -> list[int]:
    """Return the bytes resident after each wave."""
    channel = Channel(connect_redis(stack.environment["HEADWAY_REDIS_URL"]))
    await fill_table(stack, channel, "headway", JOBS)
    server = start_headway(stack, channel)
    stopping.callback(server.stop)
    until = time.monotonic() + WITHIN
    resident: list[int] = []
    while len(resident) < WAVES and (len(resident) <= GROWN_IN or time.monotonic() < until):
        await _wave(server)
        resident.append(hub_cost.memory(server.process.pid).rss)
    return resident


async def _wave(server: Server) -> None:
    """Open all, let each hear an event, close all."""
    await server.open(JOBS)
    await server.feed.publish(JOBS)
    await server.load.keep(0)
    await asyncio.sleep(1)


def _report(resident: Sequence[int]) -> Report:
    grown, last = resident[GROWN_IN - 1], resident[-1]
    streams = (len(resident) - GROWN_IN) * STREAMS
    return Report(
        f"Hub: memory after {len(resident) * STREAMS:,} streams that came and went",
        ["after wave", "RSS"],
        [
            *([f"{wave}", f"{rss / 2**20:.1f} MiB"] for wave, rss in enumerate(resident, 1)),
            [f"grown since wave {GROWN_IN}", f"{(last - grown) / streams:.0f} bytes per stream"],
            [f"asked: ≤ {FLAT} × wave {GROWN_IN}", "held" if last <= FLAT * grown else "MISSED"],
        ],
        f"{STREAMS:,} streams per wave; each hears an event and is closed by its client."
        + ("" if len(resident) == WAVES else f" LEFT OUT: {WAVES - len(resident)} waves, for time."),
    )
