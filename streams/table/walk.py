"""A walk along a user's jobs by created_at, over one query or several side by side, within a bound.

DynamoDB orders jobs of the same second as it likes, each index in its own way, and so do queries side by
side. Jobs are therefore settled, and can be put in order, only up to the second that every query has passed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from msgspec import Struct, convert

from streams.jobs.item import Attribute, Item, time_of
from streams.jobs.job import Job
from streams.table.client import DynamoDB
from streams.table.query import Parameters, is_filtered

T = TypeVar("T")

AT_ONCE = 100  # items made jobs without a pause: about a millisecond for everybody else


async def together(parts: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all parts side by side; a single one without a task of its own."""
    return [await parts[0]] if len(parts) == 1 else await asyncio.gather(*parts)


class Bound(Struct):
    """What a walk may still read: jobs, matching or not, and calls of DynamoDB, each of at most 1 MB."""

    jobs: int
    calls: int

    @property
    def is_met(self) -> bool:
        """Whether nothing more may be read."""
        return self.jobs <= 0 or self.calls <= 0

    def take(self, jobs: int = 0) -> None:
        """Set aside what the next call may read, before other calls are made beside it."""
        self.jobs -= jobs
        self.calls -= 1


class _Read(Struct, frozen=True, rename="pascal"):
    items: list[Item]
    scanned_count: int
    last_evaluated_key: dict[str, Any] | None = None


class _LastKey(Struct, frozen=True):
    created_at: Attribute | None = None


class _Strand:
    """One query, and the second up to which it has read."""

    def __init__(self, query: Parameters) -> None:
        self.query = query
        self.is_done = False
        self.second: int | None = None

    def read_up_to(self, key: dict[str, Any] | None) -> None:
        self.is_done = key is None
        if key is not None:
            created_at = convert(key, _LastKey).created_at
            self.second = time_of(created_at) if created_at else None
            self.query = {**self.query, "ExclusiveStartKey": key}


class Walk:
    """Reads what `take` takes of the queries' items, until there is enough, the end is reached, or the bound is met."""

    def __init__(
        self,
        dynamodb: DynamoDB,
        queries: list[Parameters],
        bound: Bound,
        *,
        take: Callable[[Item], Job | None],
    ) -> None:
        self._dynamodb = dynamodb
        self._strands = [_Strand(query) for query in queries]
        self._bound = bound
        self._descending = not queries[0]["ScanIndexForward"]
        self._take = take
        self.found: list[Job] = []

    @property
    def is_whole(self) -> bool:
        """Whether the end is reached."""
        return all(strand.is_done for strand in self._strands)

    @property
    def second(self) -> int | None:
        """The second that is not settled; None where all are, or where nothing is."""
        seconds = [strand.second for strand in self._strands if not strand.is_done]
        known = [second for second in seconds if second is not None]
        if len(known) < len(seconds) or not known:
            return None
        return max(known) if self._descending else min(known)

    @property
    def settled(self) -> list[Job]:
        """The jobs found before the unsettled second, in no order."""
        if self.is_whole:
            return self.found
        second = self.second
        if second is None:
            return []
        if self._descending:
            return [job for job in self.found if job.created_at > second]
        return [job for job in self.found if job.created_at < second]

    async def read(self, enough: int | None = None) -> None:
        """Read until so many jobs are settled and another one is known of, or everything where None is enough."""
        limit = (enough or 0) + 1
        if any(is_filtered(strand.query) for strand in self._strands):
            limit *= 2
        while not (self.is_whole or self._bound.is_met or self._is(enough)):
            lagging = [strand for strand in self._strands if not strand.is_done and strand.second == self.second]
            # Strands share what may be read: one that was never read would leave nothing settled.
            share = max(self._bound.jobs // len(lagging), 1)
            most = share if enough is None else min(limit, share)
            await together([self._read_on(strand, most) for strand in lagging])
            limit *= 4

    async def look(self, most: int) -> None:
        """Read so many jobs of each query, and no more, whatever there is."""
        await together([self._read_on(strand, most) for strand in self._strands])

    async def read_on(self, enough: int) -> dict[str, Any]:
        """Read just so many jobs of the only query, in the index's own order; return the key of the last one read."""
        strand = self._strands[0]
        while not (strand.is_done or self._bound.is_met or len(self.found) >= enough):
            await self._read_on(strand, enough - len(self.found))
        last: dict[str, Any] = strand.query.get("ExclusiveStartKey", {})
        return last

    def _is(self, enough: int | None) -> bool:
        return enough is not None and len(self.found) > enough and len(self.settled) >= enough

    async def _read_on(self, strand: _Strand, limit: int) -> None:
        if self._bound.is_met:
            return
        most = min(limit, self._bound.jobs)
        self._bound.take(most)
        read = await self._dynamodb.call("query", _Read, **strand.query, Limit=most)
        self._bound.jobs += most - read.scanned_count
        strand.read_up_to(read.last_evaluated_key)
        for start in range(0, len(read.items), AT_ONCE):
            self.found += [job for job in map(self._take, read.items[start : start + AT_ONCE]) if job]
            if start:
                await asyncio.sleep(0)


class _Counted(Struct, frozen=True, rename="pascal"):
    count: int
    last_evaluated_key: dict[str, Any] | None = None


async def count(dynamodb: DynamoDB, query: Parameters, bound: Bound) -> tuple[int, bool]:
    """Count what a query with Select=COUNT matches; also whether that is all, or the bound was met before."""
    counted = 0
    while not bound.is_met:
        bound.take()
        answer = await dynamodb.call("query", _Counted, **query)
        counted += answer.count
        if answer.last_evaluated_key is None:
            return counted, True
        query = {**query, "ExclusiveStartKey": answer.last_evaluated_key}
    return counted, False
