"""The table's change stream as the relay reads it: its shards, positions in them, and pages of records.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from datetime import UTC, datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from msgspec import Raw, Struct

from streams.errors import PositionExpired, RecordsTrimmed, ShardGone
from streams.feed.lineage import Shard
from streams.table.client import DynamoDB

T = TypeVar("T")

NAMED = {
    "ExpiredIteratorException": PositionExpired,
    "TrimmedDataAccessException": RecordsTrimmed,
    "ResourceNotFoundException": ShardGone,
}


class Page(Struct, frozen=True, rename="pascal"):
    """What one GetRecords call gave: up to 1,000 records, undecoded, and where to read on.

    No next position means that the shard is closed and read to its end. No records means nothing: the
    stream may hold more.
    """

    records: list[Raw]
    next_shard_iterator: str | None = None


class _Description(Struct, frozen=True, rename="pascal"):
    stream_label: str
    shards: list[Shard]
    last_evaluated_shard_id: str | None = None


class _Described(Struct, frozen=True, rename="pascal"):
    stream_description: _Description


class _Position(Struct, frozen=True, rename="pascal"):
    shard_iterator: str


class Feed:
    """One stream; every call raises TableUnavailable where another try may succeed."""

    def __init__(self, streams: DynamoDB, arn: str) -> None:
        self._streams = streams
        self.arn = arn

    async def epoch(self) -> int:
        """Return the stream's birth in Unix milliseconds, which its label tells."""
        return epoch_of((await self._describe()).stream_label)

    async def shards(self) -> list[Shard]:
        """Return all shards that the stream lists, open and closed; DescribeStream gives 100 a page."""
        page = await self._describe()
        shards = page.shards
        while page.last_evaluated_shard_id:
            page = await self._describe(ExclusiveStartShardId=page.last_evaluated_shard_id)
            shards += page.shards
        return shards

    async def children(self, shard_id: str) -> list[Shard]:
        """Return the children of a closed shard, in one call; engines that know no filter return their first page."""
        return (await self._describe(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": shard_id})).shards

    async def holds(self, shard_id: str) -> bool:
        """Say whether the stream still holds a shard, though it may not have listed it."""
        try:
            await self.position(shard_id, None)
        except (ShardGone, RecordsTrimmed):
            return False
        return True

    async def position(self, shard_id: str, after: str | None) -> str:
        """Return an iterator to read on after a sequence number, from the oldest record kept where it is None.

        Raises RecordsTrimmed where the stream no longer holds what follows the number, ShardGone where it does not
        hold the shard.
        """
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if after is not None:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
        answer = await self._call("get_shard_iterator", _Position, StreamArn=self.arn, ShardId=shard_id, **start)
        return answer.shard_iterator

    async def read(self, iterator: str) -> Page:
        """Return the next page; raises PositionExpired, RecordsTrimmed or ShardGone where the iterator is of no more use."""
        return await self._call("get_records", Page, ShardIterator=iterator, Limit=1000)

    async def _describe(self, **more: Any) -> _Description:
        return (await self._call("describe_stream", _Described, StreamArn=self.arn, **more)).stream_description

    async def _call(self, operation: str, into: type[T], **parameters: Any) -> T:
        try:
            return await self._streams.call(operation, into, **parameters)
        except ClientError as error:
            if named := NAMED.get(error.response["Error"]["Code"]):
                raise named(f"{operation}: {error}") from error
            raise


def epoch_of(label: str) -> int:
    """Read a stream label, such as 2026-11-23T02:52:23.167 (UTC), as Unix milliseconds."""
    return round(datetime.fromisoformat(label).replace(tzinfo=UTC).timestamp() * 1000)
