"""What is lost is told from the table, and only what is really lost; in the world of tests/workers/fleet/world.py."""

import asyncio

from tests.workers.fleet.desk import Desk
from tests.workers.fleet.play import counted, only_shard, play
from tests.workers.fleet.world import World


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


def test_a_job_that_was_deleted_in_a_gap_is_told_as_deleted() -> None:
    async def scenario(world: World) -> None:
        first = Desk(world, "first")
        for job_id in ("deleted", "made anew", "kept"):
            world.write(job_id)
            await world.published(job_id)
        await asyncio.sleep(2)  # until it is checkpointed
        await first.crash()
        for job_id in ("deleted", "made anew"):
            world.delete(job_id)
        world.write("made anew")
        world.trim(only_shard(world).shard_id, 6)
        Desk(world, "next")

    play(scenario)


def test_what_changes_while_a_gap_is_mended_is_not_told_as_it_was_before() -> None:
    async def scenario(world: World) -> None:
        first = Desk(world, "first")
        jobs = [f"job {number}" for number in range(40)]
        for job_id in jobs:
            world.write(job_id)
        await asyncio.sleep(5)
        await first.crash()
        for job_id in jobs:
            world.write(job_id)
        world.trim(only_shard(world).shard_id, 2 * len(jobs))
        Desk(world, "next")
        for job_id in jobs:
            await asyncio.sleep(1)
            world.write(job_id)  # FakeChannel sees to it that no job goes back.

    play(scenario)


def test_a_gap_is_mended_only_when_all_shards_are_read_up_to_now() -> None:
    async def scenario(world: World) -> None:
        first = Desk(world, "first")
        world.places = {"lost": 0.1, "late": 0.9}
        for job_id in world.places:
            world.write(job_id)
            await world.published(job_id)
        await asyncio.sleep(2)
        await first.crash()
        world.write("lost")
        world.trim(world.stream.open_shard(0.1).shard_id, 2)
        throttled = world.stream.open_shard(0.9).shard_id
        world.stream.throttled.add(throttled)
        for _ in range(2):
            world.write("late")  # FakeChannel sees to it that the first of the two is not told after the second.
        Desk(world, "next")
        await asyncio.sleep(60)
        assert not world.is_shown("lost")
        world.stream.throttled.clear()

    play(scenario, shards=2)


def test_a_second_gap_in_the_same_hands_is_mended_too() -> None:
    async def scenario(world: World) -> None:
        Desk(world, "worker")
        for gap in range(2):
            world.write("seen")
            await world.published("seen")
            await asyncio.sleep(2)
            world.stream.faults = 1.0
            await asyncio.sleep(20)
            world.write(f"lost {gap}")
            world.trim(only_shard(world).shard_id, 10)
            world.stream.faults = 0.0
            while not world.is_shown(f"lost {gap}"):  # noqa: ASYNC110 - the worker brings it about
                await asyncio.sleep(1)

    play(scenario)


def test_a_shard_that_cannot_be_read_or_published_is_not_called_caught_up() -> None:
    async def scenario(world: World) -> None:
        Desk(world, "worker")
        world.write("job")
        await world.published("job")

        async def is_caught_up(expected: bool) -> None:
            async with asyncio.timeout(15):
                while world.leases[only_shard(world).shard_id].caught_up is not expected:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

        await is_caught_up(True)
        world.stream.faults = 1.0
        await is_caught_up(False)
        world.stream.faults = 0.0
        await is_caught_up(True)
        world.redis_is_away = True
        world.write("job")
        await is_caught_up(False)
        assert counted("headway_lag_seconds", shard=only_shard(world).shard_id) > 5
        world.redis_is_away = False
        await is_caught_up(True)
        await asyncio.sleep(2)
        assert counted("headway_lag_seconds", shard=only_shard(world).shard_id) == 0

    play(scenario)


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
