"""The list against real engines: with an oracle, with and without the index for status, and within its bounds."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import product
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import httpx
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from itsdangerous import Signer
from itsdangerous.encoding import base64_encode
from msgspec import json

from streams.errors import ListTooLong
from streams.jobs.selection import SORTS, Order, Place, Selection, Span
from streams.table.client import DynamoDB, connect_dynamodb
from streams.table.indexes import StatusIndex
from streams.table.listing import Listing, Page
from streams.table.schema import jobs_schema, status_index
from tests.support.listed import Item, Query, expected, job_lists, number, page_sizes, queries, queries_by_time
from tests.support.stack import SECRET, Api, Stack, bearer

# Not shrunk: each example asks a real engine, and a long list that is wrong says enough.
ONCE = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def stored(stack: Stack, drawn: list[Item]) -> tuple[str, dict[str, Item]]:
    """Write the jobs of a new user, and one of somebody else; return the user and the jobs by id."""
    user = f"user {uuid4().hex[:8]}"
    jobs = {f"{uuid4().hex[:3]} {user} {place}": item for place, item in enumerate(drawn)}
    written = [{"job_id": {"S": job_id}, "user_id": {"S": user}, **item} for job_id, item in jobs.items()]
    written += [{**item, "job_id": {"S": f"{user} other"}, "user_id": {"S": "other"}} for item in written[:1]]
    for start in range(0, len(written), 25):
        puts = [{"PutRequest": {"Item": item}} for item in written[start : start + 25]]
        stack.client.batch_write_item(RequestItems={stack.table: puts})
    return user, jobs


def pages(client: httpx.Client, query: Query, page_size: int) -> Iterator[dict[str, Any]]:
    """Follow the cursors to the end, by the parameter and by the Link in turn."""
    answer = client.get("/api/v1/jobs", params=httpx.QueryParams([*query.parameters, ("page_size", str(page_size))]))
    while True:
        page = answer.raise_for_status().json()
        yield page
        if "next_cursor" not in page:
            assert "link" not in answer.headers
            return
        following = urljoin(str(answer.url), answer.links["next"]["url"])
        assert page["next_cursor"] in following
        answer = client.get(following)


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [job["job_id"] for page in found for job in page["jobs"]]


@ONCE
@given(job_lists, st.lists(queries, min_size=1, max_size=4), page_sizes)
def test_every_match_is_listed_exactly_once_in_order(
    api: tuple[Stack, Api], drawn: list[Item], asked: list[Query], page_size: int
) -> None:
    stack, server = api
    user, jobs = stored(stack, drawn)
    with httpx.Client(base_url=server.url, headers=bearer(user), timeout=10) as client:
        for query in asked:
            right = expected(jobs, query)
            found = list(pages(client, query, page_size))
            assert ids(found) == right, query
            assert {page["total_count"] for page in found} == {len(right)}
            assert [page["page"] for page in found] == list(range(1, len(found) + 1))
            assert all(len(page["jobs"]) == page_size for page in found[:-1])
            for number_, page in enumerate(found, 1):
                parameters = [*query.parameters, ("page_size", str(page_size)), ("page", str(number_))]
                assert client.get("/api/v1/jobs", params=parameters).json()["jobs"] == page["jobs"]


def test_a_walk_goes_on_where_it_was_while_new_jobs_come(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    for second in range(6):
        stack.put(f"{user} {second}", user, created_at=second)
    with httpx.Client(base_url=server.url, headers=bearer(user)) as client:
        walk = pages(client, Query(), 2)
        found = [next(walk)]
        for second in range(6, 9):
            stack.put(f"{user} {second}", user, created_at=second)
        found += walk
    assert ids(found) == [f"{user} {second}" for second in (5, 4, 3, 2, 1, 0)]
    assert [page["total_count"] for page in found] == [6, 9, 9]


@pytest.fixture
def connecting(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a way to the engine from this process."""
    for name, value in aws.items():
        monkeypatch.setenv(name, value)

    @asynccontextmanager
    async def connected() -> AsyncIterator[DynamoDB]:
        client = connect_dynamodb("dynamodb", os.environ, 8)
        try:
            yield client
        finally:
            await client.close()

    return connected


async def walked(listing: Listing, selection: Selection, order: Order, size: int) -> list[Page]:
    """Follow the places to the end."""
    found: list[Page] = []
    after: Place | None = None
    while not found or after:
        found.append(await listing.page(selection, order, size, after=after))
        after = found[-1].next
    return found


def listed(found: list[Page]) -> list[str]:
    return [job.job_id for page in found for job in page.jobs]


def wanted(user: str, query: Query, statuses: tuple[str, ...]) -> tuple[Selection, Order]:
    span = Span(query.after or -(2**53), query.before or 2**53)
    order = Order(query.sort.removeprefix("-") or "created_at", query.sort.startswith("-") or not query.sort)
    return Selection(user, statuses, span, tuple(word.casefold() for word in query.words)), order


@settings(ONCE, max_examples=15)
@given(job_lists, st.lists(queries, min_size=1, max_size=4), page_sizes)
def test_the_list_says_the_same_with_and_without_the_index_for_status(
    api: tuple[Stack, Api], connecting: Any, drawn: list[Item], asked: list[Query], page_size: int
) -> None:
    stack, _ = api
    user, _ = stored(stack, drawn)

    async def compare() -> None:
        async with connecting() as engine:
            given_by_table = Listing(engine, stack.table)
            without = Listing(engine, stack.table, StatusIndex.NONE)
            for query in asked:
                selection, order = wanted(user, query, query.statuses or ("completed",))
                pair = [await walked(one, selection, order, page_size) for one in (given_by_table, without)]
                assert pair[0] == pair[1], query

    asyncio.run(compare())


def test_the_engines_have_the_best_index_for_status_that_they_take(
    request: pytest.FixtureRequest, stack: Stack
) -> None:
    """ministack takes several attributes per key, as DynamoDB does since November 2025; DynamoDB Local 3.1.0 does not."""
    kind = status_index(stack.client.describe_table(TableName=stack.table)["Table"])
    is_local = "dynamodb-local" in request.node.callspec.id
    assert kind is (StatusIndex.PLAIN if is_local else StatusIndex.ORDERED)


class Counted:
    """An engine that says how many jobs were read of it, in how many queries, and through which index; `asked` names refused ones, too."""

    def __init__(self, engine: DynamoDB) -> None:
        self._engine = engine
        self.jobs = 0
        self.indexes: list[str] = []
        self.asked: list[str] = []
        self.counts = 0

    async def call(self, operation: str, into: type[Any], /, **parameters: Any) -> Any:
        self.asked += [parameters["IndexName"]] if operation == "query" else []
        answer = await self._engine.call(operation, dict[str, Any], **parameters)
        if operation == "query":
            self.jobs += answer["ScannedCount"]
            self.indexes.append(parameters["IndexName"])
            self.counts += "Select" in parameters
        return await self._engine.call(operation, into, **parameters)


async def read_for(engine: DynamoDB, table: str, index: StatusIndex | None, selection: Selection) -> Counted:
    counted = Counted(engine)
    await Listing(counted, table, index).page(selection, Order(), 5)  # type: ignore[arg-type]
    return counted


async def test_the_index_for_status_is_taken_where_it_reads_less(stack: Stack, connecting: Any, user: str) -> None:
    for second in range(60):
        stack.put(f"{user} {second}", user, created_at=second, status="failed" if second == 30 else "completed")
    async with connecting() as engine:
        rare = Selection(user, ("failed",))
        with_index = await read_for(engine, stack.table, None, rare)
        without = await read_for(engine, stack.table, StatusIndex.NONE, rare)
        everything = Selection(user, ("completed", "failed", "pending", "processing"))
        all_named = await read_for(engine, stack.table, None, everything)
    # What fits a page is read at once, and then nothing is left to count.
    assert (with_index.indexes, with_index.jobs, with_index.counts) == (["UserStatusIndex"], 1, 0)
    assert without.jobs >= 60
    assert set(all_named.indexes) == {"UserJobsIndex"}


async def test_only_an_answer_that_names_the_index_turns_it_off(stack: Stack, connecting: Any, user: str) -> None:
    stack.put(f"{user} job", user, status="failed")
    failed = Selection(user, ("failed",))
    async with connecting() as engine:
        counted = Counted(engine)
        listing = Listing(counted, stack.table)  # type: ignore[arg-type]
        with pytest.raises(ClientError, match="ValidationException"):
            await listing.page(failed, Order(), 5, after=Place(1, "job", "no number"))
        await listing.page(failed, Order(), 5)
    assert counted.indexes == ["UserStatusIndex"]


def test_no_place_fails_the_api_whoever_signed_it(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    stack.put(f"{user} job", user, status="failed")
    signer = Signer(SECRET, salt=b"headway list cursor", key_derivation="hmac", digest_method=sha256)
    values, job_ids, numbers = (
        [1, 1.5, 2**60, "1", True, None],
        ["", "job", "x" * 3000],
        ["", "1", "5", "no number", "1.5"],
    )
    with httpx.Client(base_url=server.url, headers=bearer(user), timeout=10) as client:
        for sort, value, job_id, stored in product(SORTS, values, job_ids, numbers):
            order = Order(sort)
            made_for = signer.get_signature(json.encode((Selection(user), order)))[:11].decode()
            body = json.encode([made_for, 2, [value, job_id, stored]])
            cursor = signer.sign(base64_encode(body)).decode()
            answer = client.get("/api/v1/jobs", params={"sort": f"-{sort}", "cursor": cursor})
            is_right = order.accepts(Place(value, job_id, stored))  # type: ignore[arg-type]
            assert answer.status_code == (200 if is_right else 400), (sort, value, job_id, stored, answer.text)
            assert is_right or answer.json()["parameter"] == "cursor"


async def test_a_request_reads_within_its_bound_and_the_walk_still_finds_all(
    stack: Stack, connecting: Any, user: str
) -> None:
    for second in range(100):
        stack.put(f"{user} {second}", user, created_at=second, status="failed" if second in {2, 50} else "completed")
    selection = Selection(user, ("failed",))
    async with connecting() as engine:
        for descending in (True, False):
            order = Order("created_at", descending)
            found = await walked(Listing(engine, stack.table, StatusIndex.NONE, read_jobs=30), selection, order, 5)
            assert listed(found) == [f"{user} {second}" for second in ((50, 2) if descending else (2, 50))]
            assert 3 < len(found) < 6
            assert {page.total for page in found} == {2}
        words = Selection(user, words=("never",))
        found = await walked(Listing(engine, stack.table, read_jobs=30), words, Order(), 5)
        assert (listed(found), found[0].is_total_exact) == ([], False)


@settings(ONCE, max_examples=15)
@given(job_lists, st.lists(queries_by_time, min_size=1, max_size=4), st.tuples(page_sizes, st.sampled_from([3, 6])))
def test_every_match_is_listed_exactly_once_though_seconds_hold_more_jobs_than_may_be_read(
    api: tuple[Stack, Api], connecting: Any, drawn: list[Item], asked: list[Query], sizes: tuple[int, int]
) -> None:
    """Within such a second jobs stand as the table holds them."""
    stack, _ = api
    user, jobs = stored(stack, drawn)
    page_size, bound = sizes

    async def compare() -> None:
        async with connecting() as engine:
            for query, index in product(asked, (None, StatusIndex.NONE)):
                selection, order = wanted(user, query, query.statuses)
                listing = Listing(engine, stack.table, index, read_jobs=bound)
                found = await walked(listing, selection, order, page_size)
                assert sorted(listed(found)) == sorted(expected(jobs, query)), query
                seconds = [job.created_at for page in found for job in page.jobs]
                assert seconds == sorted(seconds, reverse=order.descending)
                assert all(len(page.jobs) <= page_size for page in found)

    asyncio.run(compare())


async def test_pages_are_full_in_a_second_that_holds_more_jobs_than_may_be_read(
    stack: Stack, connecting: Any, user: str
) -> None:
    for number_ in range(20):
        stack.put(f"{user} {number_}", user, created_at=1 if number_ < 14 else number_)
    async with connecting() as engine:
        # From the youngest on, the second page meets the bound before it knows more than two.
        for descending, sizes in ((True, [4, 2, 4, 4, 4, 2]), (False, [4, 4, 4, 4, 4])):
            listing = Listing(engine, stack.table, read_jobs=5)
            found = await walked(listing, Selection(user), Order("created_at", descending), 4)
            assert [len(page.jobs) for page in found] == sizes
            assert sorted(listed(found)) == sorted(f"{user} {number_}" for number_ in range(20))
            assert {page.total for page in found} == {20}


async def test_what_cannot_be_read_within_the_bound_is_refused(stack: Stack, connecting: Any, user: str) -> None:
    for second in range(12):
        stack.put(f"{user} {second}", user, created_at=second, duration=second, status="failed")
    async with connecting() as engine:
        eleven, twelve = (Listing(engine, stack.table, StatusIndex.NONE, read_jobs=bound) for bound in (11, 12))
        by_duration = Order("duration", descending=True)
        sorted_ = await twelve.page(Selection(user), by_duration, 2)
        assert listed([sorted_]) == [f"{user} 11", f"{user} 10"]
        with pytest.raises(ListTooLong, match="sort=duration"):
            await eleven.page(Selection(user), by_duration, 2)
        with pytest.raises(ListTooLong, match="beyond"):
            await Listing(engine, stack.table, StatusIndex.NONE, read_jobs=5).page(Selection(user), Order(), 2, skip=8)


async def test_matches_are_counted_once_and_only_where_they_were_not_all_read(
    stack: Stack, connecting: Any, user: str
) -> None:
    for second in range(30):
        stack.put(f"{user} {second}", user, created_at=second, status="failed" if second % 3 else "completed")
    async with connecting() as engine:
        for statuses in ((), ("failed",), ("completed", "failed")):
            counted = await read_for(engine, stack.table, None, Selection(user, statuses))
            assert counted.counts == max(1, len(statuses)), statuses
        few = await read_for(engine, stack.table, None, Selection(user, span=Span(0, 3)))
        assert few.counts == 0


async def test_an_index_that_comes_is_used_when_it_is_filled_and_left_alone_when_it_goes(
    stack: Stack, connecting: Any, user: str, request: pytest.FixtureRequest
) -> None:
    name = f"{stack.table}-bare"
    kind = StatusIndex.PLAIN if "dynamodb-local" in request.node.callspec.id else StatusIndex.ORDERED
    schema = jobs_schema(name, kind)
    # DynamoDB Local, with the tables of many tests, takes minutes to fill an index that comes later.
    stack.client.create_table(**(schema if kind is StatusIndex.PLAIN else jobs_schema(name)))
    for second in range(3):
        item = {"job_id": {"S": f"{user} {second}"}, "user_id": {"S": user}, "status": {"S": "failed"}}
        stack.client.put_item(TableName=name, Item=item | {"created_at": number(second), "updated_at": number(1)})
    async with connecting() as engine:

        async def used_by(listing: Listing, counted: Counted) -> bool:
            page = await listing.page(Selection(user, ("failed",)), Order(), 5)
            assert listed([page]) == [f"{user} {second}" for second in (2, 1, 0)]
            return "UserStatusIndex" in counted.indexes

        def fresh() -> tuple[Listing, Counted]:
            counted = Counted(engine)
            return Listing(counted, name), counted  # type: ignore[arg-type]

        if kind is StatusIndex.ORDERED:
            assert not await used_by(*fresh())
            stack.client.update_table(
                TableName=name,
                AttributeDefinitions=schema["AttributeDefinitions"],
                GlobalSecondaryIndexUpdates=[{"Create": schema["GlobalSecondaryIndexes"][1]}],
            )
        listing, counted = fresh()
        assert await used_by(listing, counted)
        if kind is StatusIndex.PLAIN:
            return  # DynamoDB Local takes minutes to delete it, too, and refuses meanwhile in words that do not name it.
        stack.client.update_table(
            TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "UserStatusIndex"}}]
        )
        await used_by(listing, counted)
        counted.indexes.clear()
        assert not await used_by(listing, counted)


@pytest.mark.parametrize("told", [StatusIndex.PLAIN, StatusIndex.ORDERED])
async def test_an_index_that_is_missing_is_left_alone_from_then_on(
    stack: Stack, connecting: Any, user: str, told: StatusIndex
) -> None:
    name = f"{stack.table}-without"
    stack.client.create_table(**jobs_schema(name))
    async with connecting() as engine:
        counted = Counted(engine)
        listing = Listing(counted, name, told)  # type: ignore[arg-type]
        for _ in range(2):
            assert listed([await listing.page(Selection(user, ("failed",)), Order(), 5)]) == []
    assert counted.asked == ["UserStatusIndex", "UserJobsIndex", "UserJobsIndex"]
