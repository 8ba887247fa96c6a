"""One scenario in the world of tests/workers/fleet/world.py, played until the fleet is at rest."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from prometheus_client import REGISTRY

from tests.support.clock import run
from tests.workers.fleet.fake_stream import FakeShard
from tests.workers.fleet.world import World

PLAYED_WITHIN = 3600.0  # seconds on the jumping clock
RESTS_WITHIN = 90.0

Scenario = Callable[[World], Awaitable[None]]


def play(scenario: Scenario, shards: int = 1) -> None:
    """Run a scenario, let the fleet come to rest, and check that everything is shown."""

    async def main() -> None:
        world = World(7, shards)
        async with asyncio.timeout(PLAYED_WITHIN):
            await scenario(world)
        async with asyncio.timeout(RESTS_WITHIN):
            while not (world.rests() and all(map(world.is_shown, world.writes))):
                await asyncio.sleep(0.1)
                for desk in world.desks:
                    if desk.task.done():
                        desk.task.result()

    work: Coroutine[Any, Any, None] = main()
    run(work)


def only_shard(world: World) -> FakeShard:
    [shard] = world.stream.open_shards()
    return shard


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
