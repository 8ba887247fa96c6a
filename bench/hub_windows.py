"""Events pushed through a server, and what that cost it: a steady stream of them, or one to a crowd."""

import asyncio
import sys
import time
from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from bench import hub_cost
from bench.hub_servers import CROWD, Server
from bench.report import p50_p99

TICK = 0.01  # seconds between two batches of events
DELIVERED_WITHIN = 20.0  # seconds
WARM_UPS = 5
WARM_WITHIN = 4.0  # seconds


class Window(Struct, frozen=True):
    """What one window showed; CPU in seconds, latencies in seconds from publishing to being read."""

    cpu: float
    published: int
    delivered: int
    p50: float
    p99: float

    @property
    def per_event(self) -> float:
        """CPU seconds of the server per delivered event."""
        return self.cpu / self.delivered


async def warm_up(server: Server, names: Sequence[str], each: int = 1) -> bool:
    """Wait until one event per name has reached its watchers, the first may come before a peer listens to Redis.

    Return False, and say so, where that does not happen: the server has to be left out.
    """
    for _ in range(WARM_UPS):
        await server.load.hear()
        await server.feed.publish(names)
        if await _delivered(server, len(names) * each, WARM_WITHIN):
            return True
    print(f"LEFT OUT: {server.name}, it does not deliver one event for each of {len(names)} jobs", file=sys.stderr)
    return False


async def steady(server: Server, names: Sequence[str], rate: int, seconds: float) -> Window:
    """Publish `rate` events per second, in ticks, to one job after the other; each has one watcher."""
    await server.load.hear()
    before = hub_cost.cpu(server.process.pid)
    published = await _publish(server, names, round(rate * TICK), seconds)
    await _delivered(server, published, DELIVERED_WITHIN)
    spent = hub_cost.cpu(server.process.pid) - before
    heard = await server.load.hear()
    middle, high = p50_p99(heard.latencies)
    return Window(spent, published, heard.events, middle / 1e9, high / 1e9)


async def _publish(server: Server, names: Sequence[str], batch: int, seconds: float) -> int:
    started = time.monotonic()
    ticks = round(seconds / TICK)
    for tick in range(ticks):
        await asyncio.sleep(max(0.0, started + tick * TICK - time.monotonic()))
        start = tick * batch % len(names)
        await server.feed.publish(names[start : start + batch])
    return ticks * batch


async def crowd(server: Server, watchers: int, events: int) -> Window:
    """Publish one event at a time to a job with many watchers; latencies are those of the last of them."""
    await server.load.hear()
    before = hub_cost.cpu(server.process.pid)
    last, delivered = [], 0
    for _ in range(events):
        published = time.monotonic_ns()
        await server.feed.publish([CROWD])
        await _delivered(server, watchers, DELIVERED_WITHIN)
        heard = await server.load.hear()
        delivered += heard.events
        last.append((heard.last - published) / 1e9)
    spent = hub_cost.cpu(server.process.pid) - before
    return Window(spent, events * watchers, delivered, median(last), max(last))


async def _delivered(server: Server, number: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while await server.load.count() < number:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
