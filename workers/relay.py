"""The relay: follow the table's change stream and publish what changed.

For each shard: read a page, publish it, only then remember how far it went. Whatever ends the process
in between makes it repeat a page, and a repetition moves nothing (streams/publish.lua).
"""

import asyncio
import time
from functools import partial

import structlog
from msgspec import Struct

from streams.channel import Channel, Outcome
from streams.checkpoints import START, Checkpoint, Checkpoints
from streams.errors import ItemRefused, PositionExpired, RecordsTrimmed
from streams.feed import Feed, Page
from streams.lineage import Shard, ready
from streams.record import Change, Meaning, Record, decode_record, last_sequence, meaning_of
from streams.table import attributes_ignored
from workers import metrics
from workers.pace import Pace
from workers.patience import Stopped, hold, wait

log = structlog.get_logger()

LOOK_EVERY = 10.0  # seconds between two looks for new shards
CHECKPOINT_EVERY = 1.0  # seconds; a crash repeats what was published since


class Relay(Struct, frozen=True):
    """What a relay works with: one stream, the channel, and where it remembers how far it went."""

    feed: Feed
    channel: Channel
    checkpoints: Checkpoints
    epoch: int


async def relay(parts: Relay, stopping: asyncio.Event) -> None:
    """Follow all shards of the stream until asked to stop, each from its checkpoint and after its parent."""
    ended = asyncio.Event()
    running: set[str] = set()

    async def follow(shard: Shard, checkpoint: Checkpoint) -> None:
        await relay_shard(parts, shard.shard_id, checkpoint, stopping)
        running.discard(shard.shard_id)
        ended.set()

    async with asyncio.TaskGroup() as shards:
        while not stopping.is_set():
            for shard, checkpoint in await startable(parts, stopping):
                if shard.shard_id not in running:
                    running.add(shard.shard_id)
                    shards.create_task(follow(shard, checkpoint))
            await wait_for_any(ended, stopping, LOOK_EVERY)
            ended.clear()


async def startable(parts: Relay, stopping: asyncio.Event) -> list[tuple[Shard, Checkpoint]]:
    """Return the shards whose turn it is, and where each was left."""
    try:
        listed = await hold(parts.feed.shards, stopping)
        saved = await hold(parts.checkpoints.load, stopping)
    except Stopped:
        return []
    done = {shard_id for shard_id, checkpoint in saved.items() if checkpoint.done}
    return [(shard, saved.get(shard.shard_id, START)) for shard in ready(listed, done)]


async def relay_shard(parts: Relay, shard_id: str, checkpoint: Checkpoint, stopping: asyncio.Event) -> None:
    """Relay a shard from its checkpoint to its end, or until asked to stop."""
    reader = ShardReader(parts, shard_id, checkpoint, stopping)
    log.info("shard opened", shard=shard_id, after=checkpoint.sequence)
    try:
        while not (stopping.is_set() or reader.checkpoint.done):
            page = await reader.read()
            await publish(parts, page, stopping)
            await reader.advance(page)
    except Stopped:
        log.warning("stopped while holding", shard=shard_id)
    await reader.close()


async def publish(parts: Relay, page: Page, stopping: asyncio.Event) -> None:
    """Publish what a page of records changed; holds while Redis is away."""
    changes: list[Change] = []
    for raw in page.records:
        if meaning := understood(raw, parts.epoch):
            changes += meaning.changes
    if not changes:
        return
    outcomes = await hold(lambda: parts.channel.publish(changes), stopping)
    for outcome in Outcome:
        metrics.changes.labels(outcome.value).inc(outcomes.count(outcome))


def understood(raw: bytes, epoch: int) -> Meaning | None:
    """Say what a record means; None, logged and counted, where it cannot be read."""
    metrics.records.inc()
    record: Record | None = None
    try:
        record = decode_record(raw)
        meaning = meaning_of(record, epoch)
    except ItemRefused as error:
        metrics.records_refused.inc()
        log.warning("record refused", sequence=record and record.dynamodb.sequence_number, reason=str(error))
        return None
    for attribute in meaning.wrong:
        attributes_ignored.labels(attribute).inc()
    if not meaning.changes:
        metrics.records_unchanged.inc()
    metrics.lag.set(max(0.0, time.time() - record.dynamodb.approximate_creation_date_time))
    return meaning


class ShardReader:
    """Where one shard stands: the iterator, the pace, and the checkpoint to save."""

    def __init__(self, parts: Relay, shard_id: str, checkpoint: Checkpoint, stopping: asyncio.Event) -> None:
        self.checkpoint = checkpoint
        self._parts = parts
        self._shard_id = shard_id
        self._stopping = stopping
        self._saved = checkpoint
        self._saved_at = time.monotonic()
        self._iterator: str | None = None
        self._pace = Pace()

    async def read(self) -> Page:
        """Return the next page; what was trimmed away meanwhile is counted and skipped."""
        while True:
            try:
                self._iterator = self._iterator or await self._position()
                return await hold(partial(self._parts.feed.read, self._iterator), self._stopping)
            except PositionExpired:
                self._iterator = None
            except RecordsTrimmed as error:
                metrics.gaps.inc()
                log.error("records trimmed", shard=self._shard_id, after=self.checkpoint.sequence, reason=str(error))  # noqa: TRY400 - no traceback helps
                if self.checkpoint == START:
                    return Page([])  # The shard itself is gone: nothing is left to read.
                self._iterator, self.checkpoint = None, START

    async def advance(self, page: Page) -> None:
        """Go on behind a page that was published."""
        if page.records:
            self.checkpoint = Checkpoint(last_sequence(page.records) or self.checkpoint.sequence)
        else:
            metrics.lag.set(0)
        self._iterator = page.next_shard_iterator
        if self._iterator is None:
            self.checkpoint = Checkpoint(self.checkpoint.sequence, done=True)
            log.info("shard done", shard=self._shard_id)
        elif time.monotonic() - self._saved_at >= CHECKPOINT_EVERY:
            await self._save()
        if not self.checkpoint.done:
            await wait(self._stopping, self._pace.pause_after(len(page.records)))

    async def close(self) -> None:
        """Save what was not saved yet."""
        try:
            await self._save()
        except Stopped:
            log.warning("checkpoint not saved, a page will be repeated", shard=self._shard_id)

    async def _save(self) -> None:
        if self.checkpoint != self._saved:
            await hold(lambda: self._parts.checkpoints.save(self._shard_id, self.checkpoint), self._stopping)
            self._saved = self.checkpoint
        self._saved_at = time.monotonic()

    async def _position(self) -> str:
        return await hold(lambda: self._parts.feed.position(self._shard_id, self.checkpoint.sequence), self._stopping)


async def wait_for_any(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    """Return when one of two events is set, or after some seconds."""
    waiting = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
