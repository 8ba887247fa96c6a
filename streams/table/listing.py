"""Pages of a user's jobs: full, in order, counted, and read within a bound."""

import time
from typing import Any

import structlog
from botocore.exceptions import ClientError
from msgspec import Struct
from msgspec.structs import replace

from streams.errors import ListTooLong, TableUnavailable
from streams.jobs.item import Item
from streams.jobs.job import Job
from streams.jobs.selection import READ_CALLS, READ_JOBS, Order, Place, Selection, Span
from streams.table.client import DynamoDB
from streams.table.indexes import USER_STATUS_INDEX, StatusIndex
from streams.table.query import Parameters, by_status, by_user, counting, reads_less
from streams.table.schema import status_index
from streams.table.table import readable
from streams.table.walk import Bound, Walk, count, together

log = structlog.get_logger()

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
            if index is StatusIndex.NONE or not lacks_index(error, USER_STATUS_INDEX):
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


def lacks_index(error: ClientError, index: str) -> bool:
    """Whether DynamoDB refused a query because this index is missing, or is still being filled.

    All that is wrong with a query has one code: only the message names the index, at its end.
    """
    refusal = error.response["Error"]
    return refusal["Code"] == "ValidationException" and refusal["Message"].endswith(f" index: {index}")


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
        if after and after.stored:
            return await self._page_as_stored(size, int(after.value), after)
        if self._order.by != "created_at":
            return await self._page_of_all(size, skip, after)
        if self._source.index is StatusIndex.PLAIN and self._is_indexed and not self._selection.words:
            # It has no order: of use only where all that match are no more than a page.
            walk = self._walk(self._queries(self._selection.span, ordered=False))
            await walk.look(size + 1)
            if walk.is_whole and len(walk.found) <= size:
                return self._page_of(walk.found, size, skip, after)
        return await self._page_by_time(size, skip, after)

    async def _page_of_all(self, size: int, skip: int, after: Place | None) -> Page:
        """DynamoDB knows no such order, so all that match are read and put in order here."""
        walk = self._walk(self._queries(self._selection.span, ordered=False))
        await walk.read()
        if not walk.is_whole:
            raise ListTooLong(
                f"sort={self._order.by} is for lists of at most {self._source.read_jobs} jobs and {READ_CALLS} MB, "
                "and this one is longer"
            )
        return self._page_of(walk.settled, size, skip, after)

    def _page_of(self, found: list[Job], size: int, skip: int, after: Place | None) -> Page:
        jobs = self._order.sorted(found)
        total = len(jobs)
        jobs = [job for job in jobs if after is None or self._order.is_after(job, after)]
        page = jobs[skip : skip + size]
        return Page(page, total, next=self._order.place_of(page[-1]) if len(jobs) > skip + size else None)

    async def _page_by_time(self, size: int, skip: int, after: Place | None) -> Page:
        span = self._order.rest(after, self._selection.span) if after else self._selection.span
        if span.is_empty:
            return Page([], *await self._count())
        walk = self._walk(self._queries(span), after)
        # Only who reads all knows how many have the words: DynamoDB cannot compare them in any case.
        reads_all = bool(self._selection.words) and not after
        await walk.read(None if reads_all else skip + size)
        second = walk.second
        if second is not None and not skip and self._is_crowd(walk, second, after):
            return await self._page_as_stored(size, second)
        jobs = self._order.sorted(walk.settled)
        is_counted = not after and (reads_all or walk.is_whole)
        counted = (len(jobs), walk.is_whole) if is_counted else await self._count()
        page = jobs[skip : skip + size]
        if len(jobs) > skip + size or (len(page) == size and not walk.is_whole):
            return Page(page, *counted, self._place_after(page[-1], jobs[skip + size :]))
        if walk.is_whole:
            return Page(page, *counted)
        if second is None or len(jobs) < skip:
            raise ListTooLong(
                f"the page lies beyond the {self._source.read_jobs} jobs that are read for one; a cursor leads there"
            )
        # The bound was met before the page was full: the next one goes on from where the walk came to.
        return Page(page, *counted, self._order.before_second(second))

    def _place_after(self, last: Job, rest: list[Job]) -> Place:
        """All of its second is settled: where the page ends with that, the next one need not read it again."""
        if rest and rest[0].created_at == last.created_at:
            return self._order.place_of(last)
        return self._order.after_second(last.created_at)

    def _is_crowd(self, walk: Walk, second: int, after: Place | None) -> bool:
        """Whether more jobs are of the second that a walk begins with than may be read to put them in order."""
        if walk.settled or walk.is_whole:
            return False
        return bool(walk.found) if after is None else not self._order.is_behind(second, after)

    async def _page_as_stored(self, size: int, second: int, after: Place | None = None) -> Page:
        """Jobs of a crowded second come as UserJobsIndex holds them, on as many pages as it takes; then those of the next."""
        whole = by_user(self._selection, Span(second, second + 1), descending=self._order.descending)
        query = {"TableName": self._source.table, **whole}
        if after:
            query["ExclusiveStartKey"] = {
                "user_id": {"S": self._selection.user_id},
                "created_at": {"N": after.stored},
                "job_id": {"S": after.job_id},
            }
        walk = self._walk([query])
        last = await walk.read_on(size)
        if not walk.is_whole:
            return Page(walk.found, *await self._count(), Place(second, last["job_id"]["S"], last["created_at"]["N"]))
        place = self._order.after_second(second)
        lacking = size - len(walk.found)
        rest = await self._page_by_time(lacking or 1, 0, place)
        if lacking:
            return replace(rest, jobs=walk.found + rest.jobs)
        return replace(rest, jobs=walk.found, next=place if rest.jobs or rest.next else None)

    async def _count(self) -> tuple[int, bool]:
        if self._selection.words:
            walk = self._walk(self._queries(self._selection.span))
            await walk.read()
            return len(walk.settled), walk.is_whole
        bound = Bound(self._source.read_jobs, READ_CALLS)
        queries = map(counting, self._queries(self._selection.span, ordered=False))
        counts = await together([count(self._source.dynamodb, query, bound) for query in queries])
        return sum(counted for counted, _ in counts), all(is_exact for _, is_exact in counts)

    def _walk(self, queries: list[Parameters], after: Place | None = None) -> Walk:
        def some(item: Item) -> Job | None:
            job = readable(item) if self._selection.has_words(item) else None
            return None if job and after and not self._order.is_after(job, after) else job

        take = some if after or self._selection.words else readable
        # One more than is allowed, to tell a list that ends there from a longer one.
        bound = Bound(self._source.read_jobs + 1, READ_CALLS)
        return Walk(self._source.dynamodb, queries, bound, take=take)

    @property
    def _is_indexed(self) -> bool:
        return reads_less(self._source.index, self._selection)

    def _queries(self, span: Span, *, ordered: bool = True) -> list[Parameters]:
        selection, descending = self._selection, self._order.descending
        if self._is_indexed and not (ordered and self._source.index is StatusIndex.PLAIN):
            queries = [
                by_status(self._source.index, selection, span, status, descending=descending)
                for status in selection.statuses
            ]
        else:
            queries = [by_user(selection, span, descending=descending)]
        return [{"TableName": self._source.table, **query} for query in queries]
