"""Single mishaps, each by itself, in the world of tests/workers/fleet/world.py; all of them at once: test_machine.py."""

import asyncio

import pytest

from tests.workers.fleet.desk import Desk
from tests.workers.fleet.play import counted, only_shard, play
from tests.workers.fleet.world import World
from workers.relay.timing import EXPIRED_AFTER, LOOK_EVERY


def test_a_child_whose_parent_is_left_out_of_the_listings_waits_for_it() -> None:
    async def scenario(world: World) -> None:
        world.write("job")
        parent = only_shard(world)
        world.stream.roll(parent)
        world.write("job")
        world.stream.unlisted.add(parent.shard_id)
        Desk(world, "worker")
        await asyncio.sleep(60)
        assert not world.leases
        world.stream.unlisted.clear()

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


def test_the_fleet_evens_its_shares_when_workers_come_and_go() -> None:
    async def scenario(world: World) -> None:
        desks = [Desk(world, f"worker {number}") for number in range(1)]
        await asyncio.sleep(3)
        desks += [Desk(world, f"late {number}") for number in range(3)]
        await asyncio.sleep(20)
        assert sorted(len(desk.worker.holdings) for desk in desks) == [4, 4, 4, 4]

    play(scenario, shards=16)
