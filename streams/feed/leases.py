"""Who relays which shard, and how far it came: one item per shard in the leases table.

Every write replaces the whole item, only where owner and counter are still those that the writer knows,
and counts the counter up. So of two workers that both believe to hold a shard at most one can write, and
a counter that stands still tells everyone else that its owner is dead.
"""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct, field

from streams.feed.lease import Checkpoint, Lease
from streams.jobs.item import Attribute
from streams.table.client import DynamoDB

KEEP_DONE = 3 * 24 * 3600  # seconds; a stream forgets its shards after 24 hours


class _Flag(Struct, frozen=True):
    is_set: bool = field(name="BOOL", default=False)


_NO = _Flag()


class _Row(Struct, frozen=True):
    shard: Attribute
    counter: Attribute
    owner: Attribute | None = None
    sequence: Attribute | None = None
    done: _Flag = _NO
    gap: _Flag = _NO
    caught_up: _Flag = _NO
    written_at: Attribute | None = None

    def lease(self) -> Lease:
        return Lease(
            self.shard.s or "",
            self.owner.s if self.owner else None,
            int(self.counter.n or 0),
            Checkpoint(self.sequence.s if self.sequence else None, self.done.is_set, self.gap.is_set),
            self.caught_up.is_set,
            int(self.written_at.n or 0) if self.written_at else 0,
        )


class _Rows(Struct, frozen=True, rename="pascal"):
    items: list[_Row]
    last_evaluated_key: dict[str, Any] | None = None


class _Found(Struct, frozen=True, rename="pascal"):
    item: _Row | None = None


class _Nothing(Struct, frozen=True):
    pass


class Leases:
    """The leases of one stream; every call raises TableUnavailable where another try may succeed."""

    def __init__(self, dynamodb: DynamoDB, table: str, stream_arn: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._stream = {"S": stream_arn}

    async def load(self) -> dict[str, Lease]:
        """Return all leases by shard id; some may be older than what was last written."""
        condition = {
            "KeyConditionExpression": "#stream = :stream",
            "ExpressionAttributeValues": {":stream": self._stream},
        }
        return {row.shard.s or "": row.lease() async for row in self._rows("query", condition)}

    async def succeed_others(self) -> bool:
        """Say whether this stream has no lease yet, but another stream of the same table has: it was followed before."""
        if await self.load():
            return False
        streams = {"S": f"{self._stream['S'].rpartition('/')[0]}/"}
        condition = {
            "FilterExpression": "begins_with(#stream, :streams)",
            "ExpressionAttributeValues": {":streams": streams},
        }
        async for _ in self._rows("scan", condition):
            return True
        return False

    async def _rows(self, operation: str, condition: Mapping[str, Any]) -> AsyncIterator[_Row]:
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "ExpressionAttributeNames": {"#stream": "stream"},
            **condition,
        }
        while True:
            rows = await self._dynamodb.call(operation, _Rows, **parameters)
            for row in rows.items:
                yield row
            if rows.last_evaluated_key is None:
                return
            parameters["ExclusiveStartKey"] = rows.last_evaluated_key

    async def get(self, shard_id: str) -> Lease | None:
        """Return the lease as it is now (a consistent read), None where there is none."""
        key = self._key(shard_id)
        found = await self._dynamodb.call("get_item", _Found, TableName=self._table, Key=key, ConsistentRead=True)
        return found.item.lease() if found.item else None

    async def swap(self, old: Lease | None, new: Lease) -> bool:
        """Write a lease, only where it is still as `old` knows it; say whether it was.

        False too where a first attempt was taken, its answer lost, and the SDK tried again: get() tells.
        """
        parameters: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#counter)"}
        names = {"#counter": "counter"}
        if old:
            known = "attribute_not_exists(#owner)" if old.owner is None else "#owner = :owner"
            values = {":counter": {"N": str(old.counter)}} | ({":owner": {"S": old.owner}} if old.owner else {})
            parameters = {
                "ConditionExpression": f"#counter = :counter AND {known}",
                "ExpressionAttributeValues": values,
            }
            names["#owner"] = "owner"
        item = self._item(new)
        return await self._write("put_item", Item=item, ExpressionAttributeNames=names, **parameters)

    async def forget(self, lease: Lease) -> None:
        """Delete the lease of a shard that the stream no longer holds."""
        await self._write(
            "delete_item",
            Key=self._key(lease.shard_id),
            ConditionExpression="#counter = :counter",
            ExpressionAttributeNames={"#counter": "counter"},
            ExpressionAttributeValues={":counter": {"N": str(lease.counter)}},
        )

    async def _write(self, operation: str, **parameters: Any) -> bool:
        try:
            await self._dynamodb.call(operation, _Nothing, TableName=self._table, **parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _key(self, shard_id: str) -> dict[str, Any]:
        return {"stream": self._stream, "shard": {"S": shard_id}}

    def _item(self, lease: Lease) -> dict[str, Any]:
        now = int(time.time())
        item: dict[str, Any] = {
            **self._key(lease.shard_id),
            "counter": {"N": str(lease.counter)},
            "done": {"BOOL": lease.checkpoint.done},
            "gap": {"BOOL": lease.checkpoint.gap},
            "caught_up": {"BOOL": lease.caught_up},
            "written_at": {"N": str(now)},
        }
        if lease.owner is not None:
            item["owner"] = {"S": lease.owner}
        if lease.checkpoint.sequence is not None:
            item["sequence"] = {"S": lease.checkpoint.sequence}
        if lease.is_over:
            item["ttl"] = {"N": str(now + KEEP_DONE)}  # In case that nobody is left to forget it.
        return item
