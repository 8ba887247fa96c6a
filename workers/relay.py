"""Relay one shard: read a page, publish what it changed, only then remember how far it went.

Whatever ends the process in between makes its successor repeat records, and a repetition moves nothing
(streams/publish.lua). The lease is looked at before every publishing; a worker that lost it stops.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct
from msgspec.structs import replace

from streams.channel import Channel, Outcome
from streams.errors import ItemRefused, PositionExpired, RecordsTrimmed, ShardGone
from streams.feed import Feed, Page
from streams.leases import Leases
from streams.parked import Parked, ParkedRecords
from streams.record import Change, Meaning, decode_record, job_id_of, last_sequence, meaning_of
from streams.table import Table, attributes_ignored
from streams.tracing import Times
from workers import metrics
from workers.holding import Holding
from workers.pace import HOT_PAUSE, Pace
from workers.patience import hold, wait

if TYPE_CHECKING:
    from streams.spans import Traces

log = structlog.get_logger()

CHUNK = 250  # records decoded and published at a time, so that other shards and renewals get their turn
FRESH = 5.0  # seconds of lag at which a shard counts as caught up though records still come


class Relay(Struct, frozen=True):
    """What a worker works with: one stream, the table behind it, and where to publish and remember."""

    feed: Feed
    channel: Channel
    leases: Leases
    parked: ParkedRecords
    table: Table
    epoch: int
    traces: "Traces | None" = None


class Understood(Struct):
    """What some records mean: the changes with the number of the record that each came from, and the poison."""

    changes: list[Change]
    origins: list[int]
    poison: list[tuple[int, str]]
    newest: float = 0.0  # Unix seconds
    read: int = 0  # Unix nanoseconds, and so is
    publishing: int = 0  # when that began


async def relay_shard(parts: Relay, holding: Holding, stopping: asyncio.Event) -> None:
    """Relay a shard from its checkpoint to its end, or until asked to stop; raises LeaseLost where that happens."""
    reader = Reader(parts.feed, holding, stopping)
    pace = Pace()
    while not (stopping.is_set() or holding.checkpoint.done):
        page = await reader.read()
        for start in range(0, len(page.records), CHUNK):
            await relay_records(parts, holding, page.records[start : start + CHUNK], stopping)
        note_arrival(holding, page)
        if page.next_shard_iterator is None:
            await hold(partial(holding.finish, done=True, gap=holding.checkpoint.gap), stopping)
            log.info("shard done", shard=holding.shard_id)
        else:
            await wait(stopping, pace.pause_after(len(page.records)))


async def relay_records(parts: Relay, holding: Holding, records: Sequence[bytes], stopping: asyncio.Event) -> None:
    """Publish what some records changed, park those that cannot be, and then count them as done."""
    understood = understand(records, parts.epoch)

    async def publish() -> list[Outcome]:
        holding.check()
        note_age(holding, understood)  # At each try: while Redis is away it grows.
        return await parts.channel.publish(understood.changes)

    understood.publishing = time.time_ns()
    outcomes = await hold(publish, stopping) if understood.changes else []
    if parts.traces:
        trace(parts.traces, holding.shard_id, records, understood, outcomes)
    metrics.count_outcomes(outcomes)
    refused = [n for n, outcome in zip(understood.origins, outcomes, strict=True) if outcome is Outcome.REFUSED]
    for number, reason in [*understood.poison, *((number, "Redis refused the change") for number in refused)]:
        await park(parts.parked, holding, records[number], reason, stopping)
    if understood.newest:
        note_age(holding, understood)
        metrics.delays.observe(holding.lag)
    if sequence := last_sequence(records):
        holding.checkpoint = replace(holding.checkpoint, sequence=sequence)


def understand(records: Sequence[bytes], epoch: int) -> Understood:
    """Say what records mean; one that cannot be read is poison, and the others are not its hostages."""
    understood = Understood([], [], [], read=time.time_ns())
    for number, raw in enumerate(records):
        try:
            meaning = meaning_of(record := decode_record(raw), epoch)
        except ItemRefused as error:
            understood.poison.append((number, str(error)))
            continue
        except Exception as error:  # noqa: BLE001 - a bug of ours: kept with the record, and the fleet does not crash on it for ever
            understood.poison.append((number, f"{type(error).__name__}: {error}"))
            continue
        _note(meaning)
        understood.newest = record.dynamodb.approximate_creation_date_time
        understood.changes += meaning.changes
        understood.origins += [number] * len(meaning.changes)
    metrics.records.inc(len(records))
    return understood


def trace(
    traces: "Traces", shard_id: str, records: Sequence[bytes], understood: Understood, outcomes: Sequence[Outcome]
) -> None:
    """Write down how the records travelled that were published just now."""
    published = time.time_ns()
    for number, change, outcome in zip(understood.origins, understood.changes, outcomes, strict=True):
        if traces.samples(change.state):
            created = decode_record(records[number]).dynamodb.approximate_creation_date_time
            times = Times(int(created * 1e9), understood.read, understood.publishing, published)
            traces.relayed(change.state, times, outcome.value, shard_id)


def _note(meaning: Meaning) -> None:
    for attribute in meaning.wrong:
        attributes_ignored.labels(attribute).inc()
    if not meaning.changes:
        metrics.records_unchanged.inc()


async def park(parked: ParkedRecords, holding: Holding, raw: bytes, reason: str, stopping: asyncio.Event) -> None:
    """Put a record aside with its reason; `python -m workers parked` lists and replays."""
    record = Parked(holding.shard_id, last_sequence([raw]) or "unknown", reason, bytes(raw))

    async def attempt() -> None:
        holding.check()
        await parked.park(record)

    await hold(attempt, stopping)
    metrics.records_parked.inc()
    log.error(
        "record parked", shard=record.shard_id, sequence=record.sequence, job_id=job_id_of(record.raw), reason=reason
    )


def note_age(holding: Holding, understood: Understood) -> None:
    """Note how old the records are that are published now; of those that cannot be read nobody knows."""
    if understood.newest:
        note_lag(holding, max(0.0, time.time() - understood.newest))


def note_arrival(holding: Holding, page: Page) -> None:
    """Note that everything up to the end of a page is relayed."""
    note_lag(holding, holding.lag if page.records else 0.0)
    holding.caught_up = holding.lag < FRESH


def note_lag(holding: Holding, seconds: float) -> None:
    """Show how far behind a shard is; from some seconds on it is no longer caught up."""
    holding.lag = seconds
    holding.caught_up = holding.caught_up and seconds < FRESH
    metrics.lag.labels(holding.shard_id).set(seconds)


class Reader:
    """Where one shard is read, and what to do when that place is no more."""

    def __init__(self, feed: Feed, holding: Holding, stopping: asyncio.Event) -> None:
        self._feed = feed
        self._holding = holding
        self._stopping = stopping
        self._iterator: str | None = None
        self._answered_at = time.time()

    async def read(self) -> Page:
        """Return the next page; what was trimmed away meanwhile is counted, and marked as a gap to be mended."""
        while True:
            try:
                self._iterator = self._iterator or await self._position()
                page = await hold(partial(self._poll, self._iterator), self._stopping)
            except PositionExpired as error:
                metrics.count_error(error)
                self._iterator = None
            except RecordsTrimmed as error:
                self._gap(error)
                self._iterator, self._holding.checkpoint = None, replace(self._holding.checkpoint, sequence=None)
                await wait(self._stopping, HOT_PAUSE)
            except ShardGone as error:
                self._gap(error)
                return Page([])
            else:
                self._iterator = page.next_shard_iterator
                self._answered_at = time.time()
                return page

    async def _poll(self, iterator: str) -> Page:
        self._holding.check()
        metrics.polls.inc()
        if (silent := time.time() - self._answered_at) > FRESH:
            note_lag(self._holding, max(silent, self._holding.lag))  # Nobody knows what waits there.
        return await self._feed.read(iterator)

    async def _position(self) -> str:
        holding = self._holding
        return await hold(lambda: self._feed.position(holding.shard_id, holding.checkpoint.sequence), self._stopping)

    def _gap(self, error: Exception) -> None:
        metrics.count_error(error)
        metrics.gaps.inc()
        log.error("records lost", shard=self._holding.shard_id, reason=str(error))
        self._holding.checkpoint = replace(self._holding.checkpoint, gap=True)
        self._holding.gap_found.set()
