"""Records that could not be relayed, put aside with the reason, in the leases table.

They share the table but not the partition of the leases, so a look at the leases never reads them.
"""

import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct

from streams.jobs.item import Attribute
from streams.table.client import DynamoDB

KEEP = 30 * 24 * 3600  # seconds
LARGEST = 300_000  # bytes compressed; an item may have 400 KB


class Parked(Struct, frozen=True):
    """A record put aside; `raw` is empty where it was too large to keep."""

    shard_id: str
    sequence: str
    reason: str
    raw: bytes
    at: int = 0


class _Bytes(Struct, frozen=True, rename=str.upper):
    b: bytes = b""


class _Row(Struct, frozen=True):
    shard: Attribute
    reason: Attribute
    at: Attribute
    raw: _Bytes

    def parked(self) -> Parked:
        shard_id, _, sequence = (self.shard.s or "").partition(" ")
        raw = zlib.decompress(self.raw.b) if self.raw.b else b""
        return Parked(shard_id, sequence, self.reason.s or "", raw, int(self.at.n or 0))


class _Rows(Struct, frozen=True, rename="pascal"):
    items: list[_Row]
    last_evaluated_key: dict[str, Any] | None = None


class _Nothing(Struct, frozen=True):
    pass


class ParkedRecords:
    """The parked records of one stream; every call raises TableUnavailable where another try may succeed."""

    def __init__(self, dynamodb: DynamoDB, table: str, stream_arn: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._partition = {"S": f"parked {stream_arn}"}

    async def park(self, record: Parked) -> None:
        """Keep a record for 30 days; parking it again changes nothing."""
        packed = zlib.compress(record.raw)
        item = self._key(record) | {
            "reason": {"S": record.reason[:1000]},
            "at": {"N": str(int(time.time()))},
            "ttl": {"N": str(int(time.time()) + KEEP)},
            "raw": {"B": packed if len(packed) <= LARGEST else b""},
        }
        await self._dynamodb.call("put_item", _Nothing, TableName=self._table, Item=item)

    async def all(self) -> AsyncIterator[Parked]:
        """Yield the parked records, by shard and sequence number."""
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#stream = :stream",
            "ExpressionAttributeNames": {"#stream": "stream"},
            "ExpressionAttributeValues": {":stream": self._partition},
        }
        while True:
            rows = await self._dynamodb.call("query", _Rows, **parameters)
            for row in rows.items:
                yield row.parked()
            if rows.last_evaluated_key is None:
                return
            parameters["ExclusiveStartKey"] = rows.last_evaluated_key

    async def remove(self, record: Parked) -> None:
        """Forget a record."""
        await self._dynamodb.call("delete_item", _Nothing, TableName=self._table, Key=self._key(record))

    def _key(self, record: Parked) -> dict[str, Any]:
        return {"stream": self._partition, "shard": {"S": f"{record.shard_id} {record.sequence}"}}
