"""What one shard's publisher promises, whatever Redis is doing meanwhile."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from msgspec import json
from prometheus_client import REGISTRY

from streams.channel.channel import Channel, Outcome
from streams.errors import LeaseLost
from streams.feed.lease import Lease
from streams.feed.leases import Leases
from streams.jobs.change import Change
from tests.support.clock import run
from tests.support.stack import typed
from tests.workers.fleet.fake_stream import record_of
from workers.relay.batch import SIZE, batches
from workers.relay.holding import Holding
from workers.relay.relay import Publisher, Relay
from workers.relay.timing import HELD_FOR


class SlowRedis:
    """A Redis that answers when it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.busy = 0
        self.may_answer = asyncio.Semaphore(0)

    async def publish(self, changes: Sequence[Change]) -> list[Outcome]:
        self.busy += 1
        assert self.busy == 1, "two publishings of one shard are under way"
        self.asked.append([change.state.version.sequence for change in changes if change.state.version])
        await self.may_answer.acquire()
        self.busy -= 1
        return [Outcome.PUBLISHED] * len(changes)


class Bench:
    """One shard's publisher, its Redis and its clock."""

    def __init__(self) -> None:
        self.redis = SlowRedis()
        self.now = 0.0
        nothing: Any = None
        self.holding = Holding(cast("Leases", nothing), Lease("shard", "me", 1), 0.0, lambda: self.now)
        self.parts = Relay(nothing, cast("Channel", self.redis), nothing, nothing, nothing, 1)

    def publisher(self, tasks: asyncio.TaskGroup) -> Publisher:
        return Publisher(self.parts, self.holding, tasks, asyncio.Event())


def records(first: int, count: int = 3) -> list[bytes]:
    item = typed({"job_id": "job", "user_id": "user", "status": "processing", "created_at": 1})
    items = [item | typed({"updated_at": number}) for number in range(first, first + count)]
    return [json.encode(record_of(f"{first + n:021d}", None, after)) for n, after in enumerate(items)]


def read() -> float:
    return REGISTRY.get_sample_value("headway_records_read_total") or 0.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another task brings it about
            await asyncio.sleep(0.001)


def test_the_next_records_are_read_while_redis_works_and_published_only_then() -> None:
    async def main() -> None:
        bench = Bench()
        async with asyncio.TaskGroup() as tasks:
            publisher = bench.publisher(tasks)
            before = read()
            await publisher.put(records(1))
            second = tasks.create_task(publisher.put(records(4)))
            await until(lambda: read() - before == 6)
            await asyncio.sleep(1)
            assert bench.redis.asked == [[1, 2, 3]]
            assert bench.holding.checkpoint.sequence is None
            bench.redis.may_answer.release()
            await second
            await until(lambda: len(bench.redis.asked) == 2)
            assert bench.redis.asked[1] == [4, 5, 6]
            assert bench.holding.checkpoint.sequence == f"{3:021d}"
            bench.redis.may_answer.release()
            await publisher.wait()
            assert bench.holding.checkpoint.sequence == f"{6:021d}"

    run(main())


def test_what_was_read_while_the_lease_ran_out_is_not_published() -> None:
    async def main() -> None:
        bench = Bench()
        async with asyncio.TaskGroup() as tasks:
            publisher = bench.publisher(tasks)
            await publisher.put(records(1))
            second = tasks.create_task(publisher.put(records(4)))
            await until(lambda: bool(bench.redis.asked))
            bench.now += HELD_FOR
            bench.redis.may_answer.release()
            await second
            await publisher.wait()

    with pytest.RaisesGroup(pytest.RaisesExc(LeaseLost), pytest.RaisesExc(LeaseLost)):
        run(main())


def test_other_tasks_get_their_turn_while_a_whole_page_is_read() -> None:
    async def main() -> None:
        bench = Bench()
        turns = 0

        async def take_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            other = tasks.create_task(take_turns())
            bench.redis.may_answer = asyncio.Semaphore(100)
            publisher = bench.publisher(tasks)
            for some in batches(records(1, 4 * SIZE)):
                await publisher.put(some)
            await publisher.wait()
            other.cancel()
        assert turns >= 4 * SIZE / 25

    run(main())
