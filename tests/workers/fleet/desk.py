"""Where one worker of tests/workers/fleet/world.py does its I/O: everything takes time, waits while the worker is paused, and fails on demand."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar, cast

from botocore.exceptions import ClientError
from msgspec import convert, json
from msgspec.structs import replace

from streams.channel.channel import Channel, Outcome
from streams.errors import ChannelUnavailable, TableUnavailable
from streams.feed.feed import Feed
from streams.feed.lease import Lease
from streams.feed.leases import Leases
from streams.feed.parked import Parked, ParkedRecords
from streams.jobs.change import Change
from streams.jobs.item import Item, job_from_item
from streams.jobs.job import Job
from streams.jobs.state import State, order
from streams.table.client import DynamoDB
from streams.table.refusals import named
from streams.table.table import Table
from tests.workers.fleet.world import DRIFT, EPOCH, World
from workers.fleet.worker import Worker
from workers.relay.relay import Relay

T = TypeVar("T")

LATENCY = 0.01  # seconds
STOPS_WITHIN = 1.0


class Desk:
    """Where one worker does its I/O."""

    def __init__(self, world: World, me: str, feed: Feed | None = None) -> None:
        self.world = world
        self.me = me
        self.rate = 1 + world.chance.uniform(-DRIFT, DRIFT)
        self.offset = world.chance.uniform(0, 1e6)
        self.running = asyncio.Event()
        self.running.set()
        self.paused_until = -1.0
        self.stopping = asyncio.Event()
        chance = random.Random(world.chance.random())  # noqa: S311 - chance of a test
        self.worker = Worker(self._parts(feed), me, self.clock, chance)
        self.task = asyncio.ensure_future(self.worker.run(self.stopping))
        world.desks.append(self)

    def clock(self) -> float:
        return self.offset + self.rate * self.world.loop.time()

    def _parts(self, feed: Feed | None) -> Relay:
        feed = feed or Feed(cast("DynamoDB", FakeStreams(self)), "arn")
        table = cast("Table", FakeTable(self))
        return Relay(feed, FakeChannel(self), FakeLeases(self), FakeParked(self), table, EPOCH, now=self.world.now)

    async def do(self, effect: Callable[[], T], faults: float, failure: Exception, *, late: bool = False) -> T:
        """Have an effect on the world, at the pace of this worker; with faults it, or its answer, gets lost."""
        await self._pass()
        if self.world.chance.random() < faults:
            if self.world.chance.random() < 0.5:
                effect()
            elif late:
                self.world.loop.call_later(self.world.chance.uniform(0, 5), effect)
            raise failure
        answer = effect()
        await self._pass()
        return answer

    async def _pass(self) -> None:
        await asyncio.sleep(LATENCY * self.world.chance.random())
        await self.running.wait()

    def pause(self) -> None:
        self.running.clear()

    def resume(self) -> None:
        if not self.running.is_set():
            self.paused_until = self.world.loop.time() + 2 * LATENCY
        self.running.set()

    def was_paused_since(self, moment: float) -> bool:
        return not self.running.is_set() or self.paused_until >= moment

    def believes_expired(self, lease: Lease) -> bool:
        return self.worker._sightings.is_expired(lease)  # noqa: SLF001 - what the worker went by

    async def crash(self) -> None:
        """End it as kill -9 does: nothing is said to anybody."""
        self.world.desks.remove(self)
        self.task.cancel()
        self.running.set()
        await asyncio.gather(self.task, return_exceptions=True)

    async def stop(self) -> None:
        """End it as SIGTERM does, which must not take long."""
        self.world.desks.remove(self)
        begun = self.world.loop.time()
        self.stopping.set()
        await self.task
        assert self.world.loop.time() - begun <= STOPS_WITHIN


class FakeStreams:
    """The stream's client, awaited and typed as streams.dynamodb does it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def call(self, operation: str, into: type[T], /, **parameters: Any) -> T:
        method = getattr(self._desk.world.stream, operation)
        try:
            answer = await self._desk.do(lambda: method(**parameters), 0.0, AssertionError())
        except ClientError as error:
            raise named(error, operation) from error
        return json.decode(json.encode(answer), type=into)


class FakeLeases(Leases):
    """The leases table; its readings may be old, its writes may be lost, be taken without an answer, or come late."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._world = desk.world
        self._read = dict(self._world.leases)

    async def _do(self, effect: Callable[[], T], *, late: bool = False) -> T:
        faults = self._world.table_faults
        return await self._desk.do(effect, faults, TableUnavailable("table"), late=late)

    async def load(self) -> dict[str, Lease]:
        if self._world.chance.random() >= self._world.table_faults:
            self._read = dict(self._world.leases)
        return await self._do(lambda: self._read)

    async def get(self, shard_id: str) -> Lease | None:
        return await self._do(lambda: self._world.leases.get(shard_id))

    async def swap(self, old: Lease | None, new: Lease) -> bool:
        def effect() -> bool:
            now = self._world.leases.get(new.shard_id)
            if (now and (now.owner, now.counter)) != (old and (old.owner, old.counter)):
                return False
            self._world.check_swap(self._desk, now, new)
            self._world.leases[new.shard_id] = replace(new, written_at=int(time.time()))
            return True

        return await self._do(effect, late=True)

    async def forget(self, lease: Lease) -> None:
        def effect() -> None:
            if self._world.leases.get(lease.shard_id) == lease:
                assert lease.shard_id in self._world.stream.gone
                assert lease.is_over
                del self._world.leases[lease.shard_id]

        await self._do(effect)


class FakeChannel(Channel):
    """Redis; publish.lua's rule, on a Redis that may be away or lose its answer halfway."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._world = desk.world

    async def publish(self, changes: Sequence[Change]) -> list[Outcome]:
        begun = self._world.loop.time()
        taken = len(changes)
        faults = self._world.redis_faults
        if self._world.redis_is_away:
            raise ChannelUnavailable("redis")
        if self._world.chance.random() < faults:
            taken = self._world.chance.randint(0, len(changes))

        def effect() -> list[Outcome]:
            return [self._tell(begun, change) for change in changes[:taken]]

        outcomes = await self._desk.do(effect, faults, ChannelUnavailable("redis"))
        if taken < len(changes):
            raise ChannelUnavailable("redis")
        return outcomes

    def _tell(self, begun: float, change: Change) -> Outcome:
        assert change.state.version
        if change.state.version.sequence in {w.sequence for w in self._world.writes[change.state.job_id]}:
            self._world.check_publishing(self._desk, begun, change)
        stored = self._world.stored.get(change.state.job_id)
        verdict = order(change.state, stored) if stored else "newer"
        if verdict == "newer":
            assert stored is None or change.state.updated_at >= stored.updated_at, f"{stored} goes back to {change}"
            self._world.stored[change.state.job_id] = change.state
            return Outcome.PUBLISHED
        return Outcome.REPEATED if verdict == "same" else Outcome.OLDER

    async def latest_by_job(self, jobs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], State]:
        stored = self._world.stored
        return await self._do(lambda: {job: stored[job[1]] for job in jobs if job[1] in stored})

    async def known(self) -> AsyncIterator[list[tuple[str, str]]]:
        world = self._world
        yield await self._do(lambda: [(world.users[job_id], job_id) for job_id in world.stored])

    async def _do(self, effect: Callable[[], T]) -> T:
        return await self._desk.do(effect, self._world.redis_faults, ChannelUnavailable("redis"))


class FakeParked(ParkedRecords):
    """Where poison goes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def park(self, record: Parked) -> None:
        world = self._desk.world
        await self._desk.do(lambda: world.park(record), world.table_faults, TableUnavailable("table"))


class FakeTable:
    """The jobs table, as mending reads it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def active(self, since: int) -> AsyncIterator[list[Job]]:
        assert since
        yield await self._read(lambda: list(self._jobs(self._desk.world.items)))

    async def get_many(self, job_ids: Collection[str]) -> dict[str, Job]:
        return await self._read(lambda: {job.job_id: job for job in self._jobs(job_ids)})

    def _jobs(self, job_ids: Iterable[str]) -> Iterable[Job]:
        stored = self._desk.world.items
        items = (convert(stored[job_id], Item) for job_id in job_ids if job_id in stored)
        return (job_from_item(item)[0] for item in items if item.status)

    def _read(self, effect: Callable[[], T]) -> Awaitable[T]:
        return self._desk.do(effect, self._desk.world.table_faults, TableUnavailable("table"))
