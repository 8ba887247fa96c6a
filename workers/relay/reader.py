"""Where one shard is read, and what to do when that place is no more."""

import asyncio
from functools import partial

import structlog

from streams.errors import PositionExpired, RecordsTrimmed, ShardGone
from streams.feed.feed import Feed, Page
from streams.feed.record import last_sequence
from streams.retry import retry, until_stopped
from workers.relay import metrics
from workers.relay.holding import Holding
from workers.relay.retry import PATIENT, hold

log = structlog.get_logger()


class Reader:
    """Reads a shard from its checkpoint on, page by page; how far it read is not how far was published."""

    def __init__(self, feed: Feed, holding: Holding, stopping: asyncio.Event) -> None:
        self._feed = feed
        self._holding = holding
        self._stopping = stopping
        self._after = holding.checkpoint.sequence
        self._iterator: str | None = None

    async def read(self) -> Page:
        """Return the next page; what was trimmed away meanwhile is counted, and marked as a gap to be mended.

        Raises Stopped when asked to stop while there is no place to read from.
        """
        lost = (PositionExpired, RecordsTrimmed)
        try:
            return await retry("read shard", self._next, lost, PATIENT, until_stopped(self._stopping))
        except ShardGone as error:
            self._gap(error)
            return Page([])

    async def _next(self) -> Page:
        try:
            self._iterator = self._iterator or await self._position()
            page = await hold("poll", partial(self._poll, self._iterator), self._stopping)
        except PositionExpired as error:
            metrics.count_error(error)
            self._iterator = None
            raise
        except RecordsTrimmed as error:
            self._gap(error)
            self._iterator = self._after = None
            raise
        self._iterator = page.next_shard_iterator
        self._after = last_sequence(page.records) or self._after
        return page

    async def _poll(self, iterator: str) -> Page:
        self._holding.check()
        metrics.polls.inc()
        return await self._feed.read(iterator)

    async def _position(self) -> str:
        return await hold(
            "find position", partial(self._feed.position, self._holding.shard_id, self._after), self._stopping
        )

    def _gap(self, error: Exception) -> None:
        metrics.count_error(error)
        metrics.gaps.inc()
        log.error("records lost", shard=self._holding.shard_id, reason=str(error))
        self._holding.note_gap()
