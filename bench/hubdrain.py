"""SIGTERM under a thousand open streams: how long until the process is gone."""

import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench.hub_load import allow_many_files
from bench.hub_servers import fill_table, start_headway
from bench.report import Report, milliseconds
from streams.channel import Channel, connect_redis
from tests.stack import Stack
from workers.engines import free_port, local_aws, start_ministack

STREAMS = 1_000
TIMES = 5
JOBS = [f"job-{number:05}" for number in range(STREAMS)]


def run() -> Report:
    """Stop it some times over; that all streams end cleanly and miss nothing is tested (tests/engine/test_crowds.py)."""
    allow_many_files()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        directory = Path(name)
        port = free_port()
        stopping.callback(start_ministack(port, directory).stop)
        stack = Stack(local_aws(port), directory, stopping)
        stack.start_redis()
        seconds = sorted(uvloop.run(_measure(stack)))
    return Report(
        f"Hub: SIGTERM under {STREAMS:,} open streams",
        ["exit, shortest", "median", "longest", "asked: ≤ 1 s"],
        [[*(milliseconds(seconds[at]) for at in (0, TIMES // 2, -1)), "held" if seconds[-1] <= 1 else "MISSED"]],
    )


async def _measure(stack: Stack) -> list[float]:
    """Return the seconds from the signal to the end of the process, each time."""
    channel = Channel(connect_redis(stack.environment["HEADWAY_REDIS_URL"]))
    await fill_table(stack, channel, "headway", JOBS)
    return [await _once(stack, channel) for _ in range(TIMES)]


async def _once(stack: Stack, channel: Channel) -> float:
    server = start_headway(stack, channel)
    await server.open(JOBS)
    started = time.monotonic()
    server.process.send(signal.SIGTERM)
    server.process.wait(10)
    seconds = time.monotonic() - started
    server.stop()
    return seconds
