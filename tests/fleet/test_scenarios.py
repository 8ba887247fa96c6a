"""Single mishaps, each by itself, in the world of tests/fleet/world.py; all of them at once: test_machine.py."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.clock import run
from tests.fleet.desk import Desk
from tests.fleet.fake_stream import FakeShard
from tests.fleet.world import World
from workers.timing import EXPIRED_AFTER, LOOK_EVERY

RESTS_WITHIN = 90.0  # seconds on the jumping clock

Scenario = Callable[[World], Awaitable[None]]


def play(scenario: Scenario, shards: int = 1) -> None:
    """Run a scenario, let the fleet come to rest, and check that everything is shown."""

    async def main() -> None:
        world = World(7, shards)
        await scenario(world)
        async with asyncio.timeout(RESTS_WITHIN):
            while not (world.rests() and all(map(world.is_shown, world.items))):
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


def test_records_trimmed_under_a_workers_eyes_are_told_from_the_table() -> None:
    async def scenario(world: World) -> None:
        Desk(world, "worker")
        world.write("seen")
        await world.published("seen")
        await asyncio.sleep(2)  # until it is checkpointed
        world.redis_is_away = True
        for _ in range(9):
            world.write("lost")
            world.write("seen")
        await asyncio.sleep(2)
        world.trim(only_shard(world).shard_id, 19)
        await world.desks[0].crash()
        Desk(world, "next")
        world.redis_is_away = False

    gaps = counted("headway_gaps_total")
    play(scenario)
    assert counted("headway_gaps_total") > gaps


def test_a_shard_that_is_gone_before_it_was_read_to_its_end_is_done_and_its_child_read() -> None:
    async def scenario(world: World) -> None:
        Desk(world, "worker")
        world.write("seen")
        await world.published("seen")
        await asyncio.sleep(2)
        await world.desks[0].crash()
        world.write("lost")
        shard = only_shard(world)
        world.stream.roll(shard)
        world.trim(shard.shard_id, 10)
        world.write("in the child")
        Desk(world, "next")

    play(scenario)


def test_iterators_that_expire_are_replaced_without_loss() -> None:
    async def scenario(world: World) -> None:
        Desk(world, "worker")
        world.write("before")
        await world.published("before")
        world.redis_is_away = True
        for _ in range(20):
            world.write("meanwhile")
        await asyncio.sleep(20 * 60)
        world.redis_is_away = False

    expired = counted("headway_errors_total", kind="PositionExpired")
    play(scenario)
    assert counted("headway_errors_total", kind="PositionExpired") > expired


def test_a_throttled_stream_is_asked_less_often_and_nothing_is_lost() -> None:
    async def scenario(world: World) -> None:
        Desk(world, "worker")
        world.write("before")
        await world.published("before")
        world.stream.faults = 1.0
        world.write("meanwhile")
        polls = counted("headway_polls_total")
        await asyncio.sleep(60)
        assert counted("headway_polls_total") - polls < 60
        world.stream.faults = 0.0

    play(scenario)


def test_a_worker_paused_for_longer_than_its_lease_stops_at_once_when_it_wakes() -> None:
    async def scenario(world: World) -> None:
        sleeper = Desk(world, "sleeper")
        world.write("before")
        await world.published("before")
        sleeper.pause()
        Desk(world, "other")
        world.write("meanwhile")
        await world.published("meanwhile")
        sleeper.resume()
        await asyncio.sleep(LOOK_EVERY)
        assert not sleeper.worker.holdings
        world.write("after")

    lost = counted("headway_errors_total", kind="LeaseLost")
    play(scenario)
    assert counted("headway_errors_total", kind="LeaseLost") > lost


@pytest.mark.parametrize("gracefully", [True, False])
def test_shards_flow_again_soon_after_their_worker_ended(gracefully: bool) -> None:
    async def scenario(world: World) -> None:
        first = Desk(world, "first")
        world.write("before")
        await world.published("before")
        Desk(world, "second")
        await asyncio.sleep(1)
        ended = world.loop.time()
        await (first.stop() if gracefully else first.crash())
        world.write("after")
        await world.published("after")
        assert world.loop.time() - ended < (1.0 if gracefully else EXPIRED_AFTER + 1.0)

    play(scenario)


def test_a_child_flows_within_a_second_of_its_parents_end() -> None:
    async def scenario(world: World) -> None:
        Desk(world, "worker")
        world.write("before")
        await world.published("before")
        world.stream.split(only_shard(world))
        world.write("before")
        await asyncio.sleep(1.5)
        assert all(write.published for write in world.writes["before"])

    play(scenario)


def test_what_a_fleet_that_was_away_for_a_day_never_began_is_told_from_the_table() -> None:
    async def scenario(world: World) -> None:
        first = Desk(world, "first")
        world.write("before")
        await world.published("before")
        await asyncio.sleep(2)
        await first.stop()
        for lease in list(world.leases.values()):
            world.leases[lease.shard_id] = type(lease)(lease.shard_id, None, lease.counter, lease.checkpoint)
        shard = only_shard(world)
        world.stream.roll(shard)
        for _ in range(5):
            world.write("lost")
        world.stream.roll(only_shard(world))
        world.trim(shard.shard_id, 10)
        [middle] = [shard for shard in world.stream.shards.values() if not shard.is_open]
        world.trim(middle.shard_id, 10)
        Desk(world, "next")

    play(scenario)


def test_the_fleet_evens_its_shares_when_workers_come_and_go() -> None:
    async def scenario(world: World) -> None:
        desks = [Desk(world, f"worker {number}") for number in range(1)]
        await asyncio.sleep(3)
        desks += [Desk(world, f"late {number}") for number in range(3)]
        await asyncio.sleep(20)
        assert sorted(len(desk.worker.holdings) for desk in desks) == [4, 4, 4, 4]

    play(scenario, shards=16)
