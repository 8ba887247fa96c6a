"""Pages of a user's jobs: full, in order, counted, and read within a bound."""

import asyncio
import time
from typing import Any

import structlog
from botocore.exceptions import ClientError
from msgspec import Struct
from msgspec.structs import replace

from streams.dynamodb import DynamoDB
from streams.errors import ListTooLong, TableUnavailable
from streams.indexes import StatusIndex
from streams.item import Item
from streams.job import Job
from streams.query import Parameters, by_status, by_user, counting, reads_less
from streams.schema import status_index
from streams.selection import READ_JOBS, Order, Place, Selection, Span
from streams.table import readable
from streams.walk import Bound, Walk, count

log = structlog.get_logger()

READ_CALLS = 40  # calls of DynamoDB, 1 MB each, that it makes at most for its page, and again for its count
LOOK_AGAIN = 300.0  # seconds until the table is asked again which indexes it has


class Page(Struct, frozen=True):
    """Some jobs of a selection, how many there are in all, and where the next page begins, if there is more.

    Where counting met its bound, `total` is what was counted before, and `is_total_exact` is false.
    """

    jobs: list[Job]
    total: int
    is_total_exact: bool = True
    next: Place | None = None


class Listing:
    """Lists of one jobs table; all raise TableUnavailable where another try may succeed.

    Which index for status there is, the table is asked, unless it is told.
    """

    def __init__(
        self, dynamodb: DynamoDB, table: str, index: StatusIndex | None = None, read_jobs: int = READ_JOBS
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._read_jobs = read_jobs
        self._index = index
        self._index_until = float("inf") if index else 0.0

    async def page(
        self, selection: Selection, order: Order, size: int, skip: int = 0, after: Place | None = None
    ) -> Page:
        """Return the page of `size` jobs after a place, or after the first `skip`; short only at the end or the bound.

        Raises ListTooLong where the bound does not let it be known what belongs on the page.
        """
        if selection.span.is_empty:
            return Page([], 0)
        index = await self._status_index()
        source = _Source(self._dynamodb, self._table, index, self._read_jobs)
        try:
            return await _Reading(source, selection, order).page(size, skip, after)
        except ClientError as error:
            if index is StatusIndex.NONE or error.response["Error"]["Code"] != "ValidationException":
                raise
            log.warning("status index left alone", reason=str(error))
            self._index, self._index_until = StatusIndex.NONE, time.monotonic() + LOOK_AGAIN
            return await _Reading(replace(source, index=StatusIndex.NONE), selection, order).page(size, skip, after)

    async def _status_index(self) -> StatusIndex:
        if time.monotonic() < self._index_until and self._index:
            return self._index
        self._index_until = time.monotonic() + LOOK_AGAIN
        self._index = self._index or StatusIndex.NONE
        try:
            described = await self._dynamodb.call("describe_table", _Described, TableName=self._table)
            self._index = status_index(described.table)
        except (ClientError, TableUnavailable) as error:
            log.warning("status index unknown", reason=str(error))
        return self._index


class _Described(Struct, frozen=True, rename="pascal"):
    table: dict[str, Any]


class _Source(Struct, frozen=True):
    dynamodb: DynamoDB
    table: str
    index: StatusIndex
    read_jobs: int


class _Reading:
    """One request's reading of a selection."""

    def __init__(self, source: _Source, selection: Selection, order: Order) -> None:
        self._source = source
        self._selection = selection
        self._order = order

    async def page(self, size: int, skip: int, after: Place | None) -> Page:
        if self._order.by != "created_at":
            return await self._page_of_all(size, skip, after)
        if self._source.index is StatusIndex.PLAIN and self._is_indexed and not self._selection.words:
            # It has no order: of use only where all that match are no more than a page, which a count tells.
            total, is_exact = await self._count()
            if is_exact and total <= size:
                return await self._page_of_all(size, skip, after)
        return await self._page_by_time(size, skip, after)

    async def _page_of_all(self, size: int, skip: int, after: Place | None) -> Page:
        """DynamoDB knows no such order, so all that match are read and put in order here."""
        walk = self._walk(self._selection.span, ordered=False)
        await walk.read()
        if not walk.is_whole:
            raise ListTooLong(
                f"sort={self._order.by} is for lists of at most {self._source.read_jobs} jobs, and this one is longer"
            )
        jobs = self._order.sorted(walk.settled)
        rest = [job for job in jobs if after is None or self._order.is_after(job, after)]
        return self._cut(rest, size, skip, (len(jobs), True))

    async def _page_by_time(self, size: int, skip: int, after: Place | None) -> Page:
        span = self._order.rest(after, self._selection.span) if after else self._selection.span
        walk = self._walk(span, after=after)
        # Only who reads all knows how many have the words: DynamoDB cannot compare them in any case.
        reads_all = bool(self._selection.words) and not after
        await walk.read(None if reads_all else skip + size)
        jobs = self._order.sorted(walk.settled)
        is_counted = not after and (reads_all or walk.is_whole)
        counted = (len(jobs), walk.is_whole) if is_counted else await self._count()
        page = self._cut(jobs, size, skip, counted)
        return page if walk.is_whole or page.next else self._page_at_bound(page, walk, after, is_short=len(jobs) < skip)

    def _page_at_bound(self, page: Page, walk: Walk, after: Place | None, *, is_short: bool) -> Page:
        """The bound was met before the page was full, or before more was found: the next one goes on from there."""
        if is_short:
            raise ListTooLong(
                f"the page lies beyond the {self._source.read_jobs} jobs that are read for one; a cursor leads there"
            )
        second = walk.second
        if second is None or (after and not self._order.is_behind(second, after)):
            raise ListTooLong(
                f"more than {self._source.read_jobs} jobs were created in one second, and cannot be put in order"
            )
        return Page(page.jobs, page.total, page.is_total_exact, self._order.before_second(second))

    def _cut(self, jobs: list[Job], size: int, skip: int, counted: tuple[int, bool]) -> Page:
        page = jobs[skip : skip + size]
        more = len(jobs) > skip + size
        return Page(page, *counted, self._order.place_of(page[-1]) if more else None)

    async def _count(self) -> tuple[int, bool]:
        if self._selection.words:
            walk = self._walk(self._selection.span)
            await walk.read()
            return len(walk.settled), walk.is_whole
        bound = Bound(self._source.read_jobs, READ_CALLS)
        queries = map(counting, self._queries(self._selection.span, ordered=False))
        counts = await asyncio.gather(*(count(self._source.dynamodb, query, bound) for query in queries))
        return sum(counted for counted, _ in counts), all(is_exact for _, is_exact in counts)

    def _walk(self, span: Span, after: Place | None = None, *, ordered: bool = True) -> Walk:
        def take(item: Item) -> Job | None:
            job = readable(item) if self._selection.has_words(item) else None
            return None if job and after and not self._order.is_after(job, after) else job

        # One more than is allowed, to tell a list that ends there from a longer one.
        bound = Bound(self._source.read_jobs + 1, READ_CALLS)
        return Walk(self._source.dynamodb, self._queries(span, ordered=ordered), bound, take=take)

    @property
    def _is_indexed(self) -> bool:
        return reads_less(self._source.index, self._selection)

    def _queries(self, span: Span, *, ordered: bool) -> list[Parameters]:
        selection, descending = self._selection, self._order.descending
        queries = [by_user(selection, span, descending=descending)]
        if self._is_indexed and not (ordered and self._source.index is StatusIndex.PLAIN):
            queries = [
                by_status(self._source.index, selection, span, status, descending=descending)
                for status in selection.statuses
            ]
        return [{"TableName": self._source.table, **query} for query in queries]
