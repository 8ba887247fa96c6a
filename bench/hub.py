"""The push hub beside its peers: memory per stream, CPU per event, fan-out, latency under load."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import uvloop

from bench import hub_cost
from bench.hub_load import allow_many_files
from bench.hub_servers import Server, fill_table, start_headway, start_peer
from bench.report import Report
from streams.channel import Channel, connect_redis
from tests.stack import Stack
from workers.engines import free_port, local_aws, start_ministack

ROUNDS = 3
TICK = 0.01  # seconds between two batches of events
SECONDS = 2  # of events, per window
DELIVERED_WITHIN = 20.0


def run() -> list[Report]:
    """Measure."""
    allow_many_files()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        directory = Path(name)
        port = free_port()
        stopping.callback(start_ministack(port, directory).stop)
        stack = Stack(local_aws(port), directory, stopping)
        stack.start_redis()
        return uvloop.run(measure(stack, stopping))


async def measure(stack, stopping) -> list[Report]:
    channel = Channel(connect_redis(stack.environment["HEADWAY_REDIS_URL"]))
    names = [f"job-{n}" for n in range(5000)]
    t = time.monotonic()
    fill_table(stack, "headway", names)
    print("fill", time.monotonic() - t)
    servers = [
        start_headway(stack, channel),
        start_peer(stack, channel, "textbook", "textbook"),
        start_peer(stack, channel, "floor", "floor"),
    ]
    for server in servers:
        stopping.callback(server.stop)
        before = hub_cost.memory(server.process.pid)
        took = await server.open(names[:1000])
        await asyncio.sleep(1)
        after = hub_cost.memory(server.process.pid)
        print(server.name, "open 1000", took, (after.rss - before.rss) / 1000 / 1024, before, after)
        took = await server.open(names[1000:2000])
        after = hub_cost.memory(server.process.pid)
        print(server.name, "open 1000", took, (after.rss - before.rss) / 2000 / 1024, before, after)
    for server in servers:
        await warm(server, names[:2000])
    for _ in range(ROUNDS):
        for server in servers:
            print(server.name, await push(server, names[:2000]))
    return []


async def warm(server: Server, names: Sequence[str]) -> None:
    for _ in range(5):
        await server.load.hear()
        await server.feed.publish(names)
        if await delivered(server, len(names), 3):
            return
    raise RuntimeError(server.name)


async def delivered(server, number, seconds) -> bool:
    deadline = time.monotonic() + seconds
    while await server.load.count() < number:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def push(server, names):
    await server.load.hear()
    before = hub_cost.cpu(server.process.pid)
    started = time.monotonic()
    ticks = int(SECONDS / TICK)
    per = len(names) // int(1 / TICK)
    late = 0
    for tick in range(ticks):
        wait = started + tick * TICK - time.monotonic()
        late = max(late, -wait)
        await asyncio.sleep(max(0, wait))
        start = tick * per % len(names)
        await server.feed.publish(names[start : start + per])
    await delivered(server, ticks * per, DELIVERED_WITHIN)
    spent = hub_cost.cpu(server.process.pid) - before
    heard = await server.load.hear()
    lat = sorted(heard.latencies)
    return spent / max(1, heard.events) * 1e6, heard.events, ticks * per, "late", late, "p50", lat[len(lat) // 2] / 1e6, "p99", lat[int(len(lat) * 0.99)] / 1e6
