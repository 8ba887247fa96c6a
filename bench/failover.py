"""How soon a killed relay's shards flow again: twenty kills, of several fleets at the same time.

Nearly all of that time a fleet waits for a lease to end, so the fleets do not take it from each other.
"""

import asyncio
import signal
from contextlib import AsyncExitStack

from bench.report import Figure, Report, at_most, p50_p99
from tests.chaos import end_holder, loaded, own_stack
from tests.support.stack import Stack

FLEETS = 4
KILLS = 5  # of each
RELAYS = 3
JOBS = 5
EVERY = 0.15  # seconds between two updates; the time measured is longer by up to as much
ASKED = at_most(12.0)  # seconds, at p99


def run() -> Report:
    """Kill whoever holds the shard, again and again."""
    seconds = sorted(asyncio.run(_all_fleets()))
    middle, high = p50_p99(seconds)
    figures = [Figure("failover.p50", middle, "s"), Figure("failover.p99", high, "s", ASKED)]
    return Report(
        f"Relay: killed (-9) → its shard flows again, {len(seconds)} kills",
        ["p50", "p99", "asked of p99", "shortest", "longest"],
        [[*map(str, figures), figures[1].verdict, f"{seconds[0]:.2f} s", f"{seconds[-1]:.2f} s"]],
        f"{FLEETS} fleets at the same time, each of {RELAYS} relays on a ministack of its own, {JOBS} jobs, an update every {EVERY * 1000:.0f} ms.",
        figures,
    )


async def _all_fleets() -> list[float]:
    async with AsyncExitStack() as stopping:
        # Engines first, for all: starting them holds up the event loop that takes the times.
        stacks = [await stopping.enter_async_context(own_stack()) for _ in range(FLEETS)]
        async with asyncio.TaskGroup() as tasks:
            fleets = [tasks.create_task(_kill(stack)) for stack in stacks]
    return [seconds for fleet in fleets for seconds in fleet.result()]


async def _kill(stack: Stack) -> list[float]:
    seconds = []
    async with loaded(stack, JOBS, RELAYS, EVERY) as (load, fleet):
        for _ in range(KILLS):
            await fleet.fill_up()
            seconds.append(await end_holder(load, fleet, signal.SIGKILL))
    return seconds
