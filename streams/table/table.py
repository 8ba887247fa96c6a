"""The jobs table as the api and the relay read it."""

from collections.abc import AsyncIterator, Collection
from typing import Any

import structlog
from msgspec import Struct, field
from prometheus_client import Counter

from streams.errors import ItemRefused, Throttled
from streams.jobs.item import Item, job_from_item
from streams.jobs.job import FINAL_STATUSES, Job
from streams.retry import Backoff, retries, retry
from streams.table.client import DynamoDB
from streams.table.indexes import USER_JOBS_INDEX

log = structlog.get_logger()

items_refused = Counter("headway_items_refused", "Table items that are no job and were left out")
attributes_ignored = Counter("headway_attributes_ignored", "Attributes left out for their type", ["attribute"])

BATCH = 100  # keys in one BatchGetItem, DynamoDB's limit
LEFT_OVER = "BatchGetItem"  # the operation whose keys are asked for again
LEFT_OVER_ATTEMPTS = 8
LEFT_OVER_BACKOFF = Backoff(LEFT_OVER_ATTEMPTS, first=0.05, longest=1.0)  # 3.5 s at most, half of that on average


class _Found(Struct, frozen=True, rename="pascal"):
    item: Item | None = None


class _Listed(Struct, frozen=True, rename="pascal"):
    items: list[Item]
    last_evaluated_key: dict[str, Any] | None = None


class _Batch(Struct, frozen=True, rename="pascal"):
    responses: dict[str, list[Item]]
    unprocessed_keys: dict[str, Any] = field(default_factory=dict)


class UnprocessedKeys(Throttled):
    """DynamoDB answered for some keys of a batch, and was short of capacity for the others."""


retries.labels(LEFT_OVER, UnprocessedKeys.__name__)  # 0, so that the first one is seen as an increase


class Table:
    """Reads of one jobs table; all raise TableUnavailable where another try may succeed."""

    def __init__(self, dynamodb: DynamoDB, name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    async def get(self, job_id: str) -> Job | None:
        """Return the job as it is now (a consistent read), None where there is none or the item is no job."""
        key = {"job_id": {"S": job_id}}
        found = await self._dynamodb.call("get_item", _Found, TableName=self._name, Key=key, ConsistentRead=True)
        return None if found.item is None else readable(found.item)

    async def get_many(self, job_ids: Collection[str]) -> dict[str, Job]:
        """Return those of at most 100 jobs that exist, as they are now (a consistent read), by their id.

        Raises Throttled where DynamoDB leaves some of them unread again and again.
        """
        keys = [{"job_id": {"S": job_id}} for job_id in job_ids]
        left: dict[str, Any] = {self._name: {"Keys": keys, "ConsistentRead": True}}
        jobs: dict[str, Job] = {}

        async def ask() -> None:
            nonlocal left
            answer = await self._dynamodb.call("batch_get_item", _Batch, RequestItems=left)
            found = map(readable, answer.responses.get(self._name, ()))
            jobs.update({job.job_id: job for job in found if job})
            left = answer.unprocessed_keys
            if left:
                raise UnprocessedKeys(f"{LEFT_OVER}: {len(left[self._name]['Keys'])} keys were left unprocessed")

        # Only what is left over: the call itself has retries of its own for all else.
        await retry(LEFT_OVER, ask, UnprocessedKeys, LEFT_OVER_BACKOFF)
        return jobs

    async def unfinished_of(self, user_id: str, since: int | None) -> AsyncIterator[Job]:
        """Yield the user's jobs that are not final, and those that changed at `since` (Unix seconds) or later."""
        asked = _Query({"#user": "user_id"}, {":user": {"S": user_id}})
        condition = f"NOT #status IN ({asked.values('final', sorted(FINAL_STATUSES))})"
        asked.filter(condition, status="status")
        if since is not None:
            asked.value(":since", {"N": str(since)})
            asked.filter(f"{condition} OR #updated >= :since", updated="updated_at")
        async for job in self._query(asked):
            yield job

    async def _query(self, asked: "_Query") -> AsyncIterator[Job]:
        parameters = asked.parameters()
        while True:
            listed = await self._dynamodb.call("query", _Listed, TableName=self._name, **parameters)
            for item in listed.items:
                if job := readable(item):
                    yield job
            if listed.last_evaluated_key is None:
                return
            parameters["ExclusiveStartKey"] = listed.last_evaluated_key

    async def active(self, since: int) -> AsyncIterator[list[Job]]:
        """Yield, page by page of a whole scan, everyone's jobs that are not final or changed at `since` (Unix seconds) or later."""
        values = {f":final{number}": {"S": status} for number, status in enumerate(sorted(FINAL_STATUSES))}
        parameters: dict[str, Any] = {
            "FilterExpression": f"NOT #status IN ({', '.join(values)}) OR #updated >= :since",
            "ExpressionAttributeNames": {"#status": "status", "#updated": "updated_at"},
            "ExpressionAttributeValues": {**values, ":since": {"N": str(since)}},
        }
        while True:
            listed = await self._dynamodb.call("scan", _Listed, TableName=self._name, **parameters)
            yield [job for item in listed.items if (job := readable(item))]
            if listed.last_evaluated_key is None:
                return
            parameters["ExclusiveStartKey"] = listed.last_evaluated_key


class _Query:
    """The parts of one Query on the index of a user's jobs."""

    def __init__(self, names: dict[str, str], values: dict[str, Any]) -> None:
        self._names = names
        self._values = values
        self._filter: str | None = None

    def value(self, name: str, value: dict[str, str]) -> None:
        self._values[name] = value

    def values(self, prefix: str, texts: Collection[str]) -> str:
        names = [f":{prefix}{number}" for number in range(len(texts))]
        self._values.update(zip(names, ({"S": text} for text in texts), strict=True))
        return ", ".join(names)

    def filter(self, expression: str, **names: str) -> None:
        self._filter = expression
        self._names.update({f"#{short}": name for short, name in names.items()})

    def parameters(self) -> dict[str, Any]:
        parameters = {
            "IndexName": USER_JOBS_INDEX,
            "KeyConditionExpression": "#user = :user",
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
            "ScanIndexForward": False,
        }
        return parameters | ({"FilterExpression": self._filter} if self._filter else {})


def readable(item: Item) -> Job | None:
    """Return the item as a job; None, logged and counted, where it is none."""
    try:
        job, wrong = job_from_item(item)
    except ItemRefused as error:
        items_refused.inc()
        log.warning("item refused", reason=str(error))
        return None
    for attribute in wrong:
        attributes_ignored.labels(attribute).inc()
        log.warning("attribute ignored", job_id=job.job_id, attribute=attribute)
    return job
