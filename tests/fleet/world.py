"""A fleet in a world of its own: a stream, a leases table and a Redis that fail on demand, and one clock that jumps.

Everything that a real fleet does with I/O goes through a Desk, one per worker, where it takes time, waits while the
worker is paused, and may fail before or after it had its effect. Whatever must never happen is asserted right there.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar, cast

from botocore.exceptions import ClientError
from msgspec import Struct, convert, json
from msgspec.structs import replace

from streams.channel import Channel, Outcome
from streams.dynamodb import DynamoDB, named
from streams.errors import ChannelUnavailable, TableUnavailable
from streams.feed import Feed, epoch_of
from streams.item import Item, job_from_item
from streams.job import Job
from streams.lease import Lease
from streams.leases import Leases
from streams.parked import Parked, ParkedRecords
from streams.record import Change
from streams.state import Order, State, order, state_of
from streams.table import Table
from tests.fleet.fake_stream import EPOCH_LABEL, FakeStream, record_of
from tests.stack import typed
from workers.fleet import Worker
from workers.relay import Relay
from workers.timing import HELD_FOR, LOOK_EVERY

T = TypeVar("T")

EPOCH = epoch_of(EPOCH_LABEL)
LATENCY = 0.01  # seconds
STOPS_WITHIN = 1.0
DRIFT = 0.03  # how much faster or slower a worker's clock runs


class Write(Struct):
    """One write to an item: where its record lies, and what became of it."""

    job_id: str
    shard_id: str
    sequence: int
    published: bool = False
    lost: bool = False


class Taken(Struct):
    """When a worker lost a shard to another, and whether it was taken for dead."""

    at: float
    as_expired: bool


class World:
    """All that the workers share."""

    def __init__(self, seed: int, shards: int = 1) -> None:
        self.loop = asyncio.get_running_loop()
        self.chance = random.Random(seed)  # noqa: S311 - chance of a test
        self.stream = FakeStream(self.loop.time, self.chance, shards)
        self.items: dict[str, dict[str, Any]] = {}
        self.places: dict[str, float] = {}
        self.writes: dict[str, list[Write]] = {}
        self.leases: dict[str, Lease] = {}
        self.stored: dict[str, State] = {}
        self.parked: list[Parked] = []
        self.robbed: dict[tuple[str, str], Taken] = {}
        self.redis_is_away = False
        self.table_faults = 0.0
        self._table_was_ill_at = -100.0
        self.redis_faults = 0.0
        self.desks: list[Desk] = []
        self.stream.on_read = self.check_lineage

    def write(self, job_id: str, *, poison: bool = False) -> None:
        """Write an item; its record goes to the shard that takes the item."""
        place = self.places.setdefault(job_id, self.chance.random())
        before = self.items.get(job_id)
        count = len(self.writes.setdefault(job_id, [])) + 1
        after = typed({
            "job_id": job_id, "user_id": f"user {len(self.places) % 3}" if before is None else before["user_id"]["S"],
            "status": None if poison else "processing", "created_at": 1, "updated_at": count, "scenes_completed": count,
        })  # fmt: skip
        shard = self.stream.open_shard(place)
        sequence = self.stream.write(place, lambda sequence: record_of(sequence, before, after))
        self.items[job_id] = after
        self.writes[job_id].append(Write(job_id, shard.shard_id, int(sequence), published=poison))

    def trim(self, shard_id: str, records: int) -> None:
        """Trim a shard, and write down which records nobody can read any more."""
        shard = self.stream.shards[shard_id]
        self.stream.trim(shard, records)
        gone = set(shard.sequences[: shard.trimmed])
        for write in self.all_writes():
            if write.shard_id == shard_id and write.sequence in gone and not write.published:
                write.lost = True

    def all_writes(self) -> Iterable[Write]:
        return (write for writes in self.writes.values() for write in writes)

    # What must never happen.

    def check_lineage(self, shard_id: str) -> None:
        """No shard is read before its parents were relayed or are gone."""
        for parent in self.stream.shards[shard_id].parents:
            lease = self.leases.get(parent)
            assert (lease and lease.checkpoint.done) or parent in self.stream.gone, f"{shard_id} before {parent}"

    def check_swap(self, desk: "Desk", old: Lease | None, new: Lease) -> None:
        """Only the owner writes, and nothing is checkpointed that is not published."""
        assert new.owner in {desk.me, None}
        assert new.counter == (old.counter if old else 0) + 1
        done = new.checkpoint.done
        assert done >= bool(old and old.checkpoint.done)
        for write in self.all_writes():
            behind = done or (new.checkpoint.sequence is not None and write.sequence <= int(new.checkpoint.sequence))
            if write.shard_id == new.shard_id and behind:
                assert write.published or write.lost, f"{new} forgets {write}"
        if old and old.owner and old.owner != new.owner == desk.me:
            self.robbed[old.owner, old.shard_id] = Taken(self.loop.time(), desk.believes_expired(old))

    def check_publishing(self, desk: "Desk", begun: float, change: Change) -> None:
        """Each item's records come in order; and who lost a lease has stopped."""
        writes = self.writes[change.state.job_id]
        assert change.state.version
        [write] = [write for write in writes if write.sequence == change.state.version.sequence]
        for earlier in writes[: writes.index(write)]:
            assert earlier.published or earlier.lost, f"{write} before {earlier}"
        taken = self.robbed.get((desk.me, write.shard_id))
        lease = self.leases.get(write.shard_id)
        if taken and lease and lease.owner != desk.me and not desk.was_paused_since(taken.at):
            grace = 0.0 if taken.as_expired else HELD_FOR * (1 + DRIFT)
            if self.table_is_well and not taken.as_expired:
                grace = LOOK_EVERY + 10 * LATENCY
            assert begun <= taken.at + grace, f"{desk.me} publishes of {write.shard_id}, lost at {taken.at}"
        write.published = True

    async def published(self, job_id: str) -> None:
        """Return when all that was written to a job was published."""
        while not all(write.published for write in self.writes[job_id]):  # noqa: ASYNC110 - any worker may do it
            await asyncio.sleep(0.01)

    @property
    def table_is_well(self) -> bool:
        return not self.table_faults and self.loop.time() > self._table_was_ill_at + 10

    def break_table(self, faults: float) -> None:
        self.table_faults = faults
        self._table_was_ill_at = self.loop.time()

    def rests(self) -> bool:
        """Say whether everything was relayed, and every open shard has a worker."""
        needed = {lease.shard_id for lease in self.leases.values() if not lease.is_over}
        held = {shard_id for desk in self.desks for shard_id in desk.worker.holdings}
        return (
            all(write.published or write.lost for write in self.all_writes())
            and needed == held == set(self.open_shards())
            and not any(lease.checkpoint.gap for lease in self.leases.values())
        )

    def unrest(self) -> dict[str, Any]:
        """Say what is not done yet, for a test that fails."""
        return {
            "unpublished": [write for write in self.all_writes() if not (write.published or write.lost)],
            "not shown": [job_id for job_id in self.items if not self.is_shown(job_id)],
            "open": self.open_shards(),
            "held": {desk.me: list(desk.worker.holdings) for desk in self.desks},
            "leases": [lease for lease in self.leases.values() if not lease.is_over],
        }

    def open_shards(self) -> list[str]:
        return [shard.shard_id for shard in self.stream.open_shards()]

    def is_shown(self, job_id: str) -> bool:
        """Say whether Redis holds what the table holds."""
        job, _ = job_from_item(convert(self.items[job_id], Item))
        return job_id in self.stored and self.stored[job_id].data == state_of(job).data


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
        return Relay(feed, FakeChannel(self), FakeLeases(self), FakeParked(self), cast("Table", FakeTable(self)), EPOCH)

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
        verdict = order(change.state, stored) if stored else Order.NEWER
        if verdict is Order.NEWER:
            self._world.stored[change.state.job_id] = change.state
            return Outcome.PUBLISHED
        return Outcome.REPEATED if verdict is Order.SAME else Outcome.OLDER

    async def latest(self, jobs: Iterable[tuple[str, str]]) -> list[State]:
        stored = self._world.stored
        return await self._desk.do(
            lambda: [stored[job_id] for _, job_id in jobs if job_id in stored],
            self._world.redis_faults,
            ChannelUnavailable("redis"),
        )


class FakeParked(ParkedRecords):
    """Where poison goes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def park(self, record: Parked) -> None:
        world = self._desk.world
        await self._desk.do(lambda: world.parked.append(record), world.table_faults, TableUnavailable("table"))


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
        items = (convert(self._desk.world.items[job_id], Item) for job_id in job_ids)
        return (job_from_item(item)[0] for item in items if item.status)

    def _read(self, effect: Callable[[], T]) -> Awaitable[T]:
        return self._desk.do(effect, self._desk.world.table_faults, TableUnavailable("table"))
