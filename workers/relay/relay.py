"""Relay one shard: read a page, publish what it changed, only then remember how far it went.

Whatever ends the process in between makes its successor repeat records, and a repetition moves nothing
(streams/channel/publish.lua). The lease is looked at before every publishing; a worker that lost it stops.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct, field

from streams.channel.channel import Channel, Outcome
from streams.feed.feed import Feed
from streams.feed.leases import Leases
from streams.feed.parked import Parked, ParkedRecords
from streams.feed.record import decode_record, job_id_of, last_sequence
from streams.table.table import Table
from streams.telemetry.trace_ids import Times
from workers.relay import metrics
from workers.relay.batch import Batch, batches, understand
from workers.relay.holding import Holding
from workers.relay.interest import Interest
from workers.relay.pace import Pace
from workers.relay.reader import Reader
from workers.relay.retry import hold

if TYPE_CHECKING:
    from streams.telemetry.spans import Traces

log = structlog.get_logger()


class Relay(Struct, frozen=True):
    """What a worker works with: one stream, the table behind it, and where to publish and remember."""

    feed: Feed
    channel: Channel
    leases: Leases
    parked: ParkedRecords
    table: Table
    epoch: int
    traces: "Traces | None" = None
    interest: Interest = field(default_factory=Interest)
    now: Callable[[], float] = time.time  # Unix seconds


async def relay_shard(parts: Relay, holding: Holding, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
    """Relay a shard from its checkpoint to its end, or until asked to stop.

    In the group of tasks goes on what Redis does meanwhile; LeaseLost may be raised here or there.
    """
    reader = Reader(parts.feed, holding, stopping)
    publisher = Publisher(parts, holding, tasks, stopping)
    pace = Pace()
    while not (stopping.is_set() or holding.checkpoint.done):
        page = await reader.read()
        for records in batches(page.records):
            await publisher.put(records)
        if page.next_shard_iterator is None:
            await publisher.wait()
            await hold("save lease", holding.finish, stopping)
            log.info("shard done", shard=holding.shard_id)
        elif pause := pace.pause_after(len(page.records), is_watched=parts.interest.is_there):
            await publisher.wait()
            if pace.is_idle:
                holding.note_idle()
            await parts.interest.sleep(pause, stopping)
    await publisher.wait()


class Publisher:
    """Publishes a shard's records in order; while one batch is on its way to Redis, the next is read."""

    def __init__(self, parts: Relay, holding: Holding, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        self._parts = parts
        self._holding = holding
        self._tasks = tasks
        self._stopping = stopping
        self._under_way: asyncio.Task[None] | None = None

    async def put(self, records: Sequence[bytes]) -> None:
        """Take some records, to be published when all earlier ones are."""
        batch = await understand(records, self._parts.epoch)
        await self.wait()
        self._under_way = self._tasks.create_task(publish(self._parts, self._holding, batch, self._stopping))

    async def wait(self) -> None:
        """Return when all that was put is published and counted as done."""
        if self._under_way:
            await self._under_way


async def publish(parts: Relay, holding: Holding, batch: Batch, stopping: asyncio.Event) -> None:
    """Publish what a batch changed, park what cannot be, and only then count it as done."""

    async def attempt() -> list[Outcome]:
        holding.check()
        return await parts.channel.publish(batch.changes)

    begun = time.time_ns()
    outcomes = await hold("publish", attempt, stopping) if batch.changes else []
    if parts.traces:
        trace(parts.traces, holding.shard_id, batch, begun, outcomes)
    metrics.count_outcomes(outcomes)
    for raw, reason in batch.to_park(outcomes):
        await park(parts.parked, holding, raw, reason, stopping)
    age = batch.age(parts.now())
    if batch.newest:
        metrics.delays.observe(age)
    if sequence := last_sequence(batch.records):
        holding.note_published(sequence, age)


def trace(traces: "Traces", shard_id: str, batch: Batch, begun: int, outcomes: Sequence[Outcome]) -> None:
    """Write down how the records travelled whose publishing began then (Unix nanoseconds) and ended just now."""
    published = time.time_ns()
    for raw, change, outcome in zip(batch.origins, batch.changes, outcomes, strict=True):
        if traces.samples(change.state):
            created = decode_record(raw).dynamodb.approximate_creation_date_time
            times = Times(int(created * 1e9), batch.read_at, begun, published)
            traces.relayed(change.state, times, outcome.value, shard_id)


async def park(parked: ParkedRecords, holding: Holding, raw: bytes, reason: str, stopping: asyncio.Event) -> None:
    """Put a record aside with its reason; `python -m workers parked` lists and replays."""
    record = Parked(holding.shard_id, last_sequence([raw]) or "unknown", reason, bytes(raw))

    async def attempt() -> None:
        holding.check()
        await parked.park(record)

    await hold("park", attempt, stopping)
    metrics.records_parked.inc()
    log.error("record parked", shard=record.shard_id, sequence=record.sequence, job_id=job_id_of(raw), reason=reason)
