"""Events pushed through a server, and what that cost it: a steady stream of them, or one to a crowd."""

import asyncio
import sys
import time
from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from bench import cost
from bench.hub.servers import CROWD, Server
from bench.report import p50_p99

ROUNDS = 3
TICK = 0.01  # seconds between two batches of events
DELIVERED_WITHIN = 20.0  # seconds
QUIET = 2.0  # seconds without an event after which no more are waited for
WARM_UPS = 5
ENOUGH = 0.99  # of the watchers; the column `delivered` tells the truth


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
    """Wait until events reach (nearly) all watchers; the first ones may come before a peer listens to Redis.

    Return False, and say so, where that does not happen: the server has to be left out.
    """
    wanted = len(names) * each
    for _ in range(WARM_UPS):
        await server.load.hear()
        await server.feed.publish(names)
        reached = await _delivered(server, wanted)
        if reached >= ENOUGH * wanted:
            return True
    print(
        f"LEFT OUT: {server.name}, its events reach {reached} of {wanted} watchers; {server.process.tail()}",
        file=sys.stderr,
    )
    return False


async def steady(server: Server, names: Sequence[str], rate: int, seconds: float) -> Window:
    """Publish `rate` events per second, in ticks, to one job after the other; each has one watcher."""
    await server.load.hear()
    before = cost.cpu(server.process.pid)
    published = await _publish(server, names, round(rate * TICK), seconds)
    await _delivered(server, published)
    spent = cost.cpu(server.process.pid) - before
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
    before = cost.cpu(server.process.pid)
    last, delivered = [], 0
    for _ in range(events):
        published = time.monotonic_ns()
        await server.feed.publish([CROWD])
        await _delivered(server, watchers)
        heard = await server.load.hear()
        delivered += heard.events
        last.append((heard.last - published) / 1e9)
    spent = cost.cpu(server.process.pid) - before
    return Window(spent, events * watchers, delivered, median(last), max(last))


async def _delivered(server: Server, wanted: int) -> int:
    """Wait until so many events came, or no more come; return how many came."""
    until = time.monotonic() + DELIVERED_WITHIN
    came, last = 0, time.monotonic()
    while came < wanted and time.monotonic() < min(until, last + QUIET):
        await asyncio.sleep(0.02)
        if (now := await server.load.count()) > came:
            came, last = now, time.monotonic()
    return came
