"""A DynamoDB stream that does what no engine at hand does: it splits, merges, trims, throttles and tells half the truth."""

# ruff: noqa: N803 - parameters are named as boto3 names them

import random
from collections.abc import Callable
from itertools import count
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Raw, Struct, json

ITERATOR_LIVES = 15 * 60.0  # seconds
EPOCH_LABEL = "2026-11-23T00:00:00.000"


class FakeShard(Struct):
    """One shard and the range of items, in [low, high), whose records it takes while it is open."""

    shard_id: str
    low: float
    high: float
    parents: list[str]
    records: list[bytes]
    sequences: list[int]
    trimmed: int = 0
    is_open: bool = True


class FakeStream:
    """The client, as boto3 gives it, of one stream; `faults` (0 to 1) says how often it misbehaves."""

    def __init__(self, clock: Callable[[], float], chance: random.Random, shards: int = 1) -> None:
        self.shards: dict[str, FakeShard] = {}
        self.gone: set[str] = set()
        self.unlisted: set[str] = set()
        self.throttled: set[str] = set()
        self.faults = 0.0
        self.page = 3  # shards in one answer of DescribeStream
        self.limit = 4  # records in one page
        self.on_read: Callable[[str], None] = lambda _: None
        self._clock = clock
        self._chance = chance
        self._numbers = count()
        self._sequence = 0
        for number in range(shards):
            self._open(number / shards, (number + 1) / shards, [])

    # What happens to a stream.

    def write(self, place: float, record: Callable[[str], dict[str, Any]]) -> str:
        """Append a record to the open shard that takes this place; return its sequence number."""
        self._sequence += self._chance.choice((1, 1, 7))
        sequence = f"{self._sequence:021d}"
        shard = self.open_shard(place)
        shard.sequences.append(self._sequence)
        shard.records.append(json.encode(record(sequence)))
        return sequence

    def open_shard(self, place: float) -> FakeShard:
        return next(shard for shard in self.open_shards() if shard.low <= place < shard.high)

    def open_shards(self) -> list[FakeShard]:
        return [shard for shard in self.shards.values() if shard.is_open]

    def roll(self, shard: FakeShard) -> None:
        """Close a shard and go on in a child, as DynamoDB does every four hours."""
        shard.is_open = False
        self._open(shard.low, shard.high, [shard.shard_id])

    def split(self, shard: FakeShard) -> None:
        shard.is_open = False
        middle = (shard.low + shard.high) / 2
        self._open(shard.low, middle, [shard.shard_id])
        self._open(middle, shard.high, [shard.shard_id])

    def merge(self, low: FakeShard, high: FakeShard) -> None:
        low.is_open = high.is_open = False
        self._open(low.low, high.high, [low.shard_id, high.shard_id])

    def trim(self, shard: FakeShard, records: int) -> None:
        """Forget a shard's oldest records, and the shard too where it is closed and nothing is left."""
        shard.trimmed = min(shard.trimmed + records, len(shard.records))
        if not shard.is_open and shard.trimmed == len(shard.records):
            self.gone.add(shard.shard_id)
            del self.shards[shard.shard_id]

    def _open(self, low: float, high: float, parents: list[str]) -> None:
        shard_id = f"shard-{next(self._numbers):03d}"
        self.shards[shard_id] = FakeShard(shard_id, low, high, parents, [], [])

    # What its clients call.

    def describe_stream(
        self, StreamArn: str, ExclusiveStartShardId: str = "", ShardFilter: dict[str, str] | None = None
    ) -> dict[str, Any]:
        self._misbehave("LimitExceededException")
        shards = sorted(self.shards.values(), key=lambda shard: shard.shard_id)
        if ShardFilter and self._chance.random() >= self.faults:  # Some engines know no filter.
            shards = [shard for shard in shards if ShardFilter["ShardId"] in shard.parents]
        shards = [shard for shard in shards if shard.shard_id > ExclusiveStartShardId]
        told = [shard for shard in shards[: self.page] if self._chance.random() >= self.faults]
        told = [shard for shard in told if shard.shard_id not in self.unlisted]
        description: dict[str, Any] = {
            "StreamLabel": EPOCH_LABEL,
            "StreamArn": StreamArn,
            "Shards": [self._describe(shard) for shard in told],
        }
        if len(shards) > self.page:
            description["LastEvaluatedShardId"] = shards[self.page - 1].shard_id
        return {"StreamDescription": description}

    def _describe(self, shard: FakeShard) -> dict[str, Any]:
        names = ("ParentShardId", "AdjacentParentShardId")
        return {"ShardId": shard.shard_id} | dict(zip(names, shard.parents, strict=False))

    def get_shard_iterator(
        self, StreamArn: str, ShardId: str, ShardIteratorType: str, SequenceNumber: str = ""
    ) -> dict[str, Any]:
        assert StreamArn
        self._misbehave("ProvisionedThroughputExceededException")
        shard = self._shard(ShardId)
        if ShardIteratorType == "TRIM_HORIZON":
            return {"ShardIterator": self._iterator(shard, shard.trimmed)}
        if ShardIteratorType == "LATEST":
            return {"ShardIterator": self._iterator(shard, len(shard.records))}
        position = sum(sequence <= int(SequenceNumber) for sequence in shard.sequences)
        if position < shard.trimmed:
            raise refusal("TrimmedDataAccessException")
        return {"ShardIterator": self._iterator(shard, position)}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:
        assert Limit == 1000
        self._misbehave("ProvisionedThroughputExceededException")
        shard_id, position, until = ShardIterator.split(" ")
        if self._clock() > float(until):
            raise refusal("ExpiredIteratorException")
        shard = self._shard(shard_id)
        if shard_id in self.throttled:
            raise refusal("ProvisionedThroughputExceededException")
        self.on_read(shard_id)
        start = int(position)
        if start < shard.trimmed:
            raise refusal("TrimmedDataAccessException")
        if self._chance.random() < self.faults:
            start = max(shard.trimmed, start - 2)  # Records that were told before.
        end = min(start + self.limit, len(shard.records))
        if self._chance.random() < self.faults:
            end = start = int(position)  # An empty page, which says nothing.
        answer: dict[str, Any] = {"Records": [Raw(raw) for raw in shard.records[start:end]]}
        if shard.is_open or end < len(shard.records):
            answer["NextShardIterator"] = self._iterator(shard, max(end, int(position)))
        return answer

    def _iterator(self, shard: FakeShard, position: int) -> str:
        lives = ITERATOR_LIVES if self._chance.random() >= self.faults else 0.0
        return f"{shard.shard_id} {position} {self._clock() + lives}"

    def _shard(self, shard_id: str) -> FakeShard:
        if shard_id not in self.shards:
            raise refusal("ResourceNotFoundException")
        return self.shards[shard_id]

    def _misbehave(self, code: str) -> None:
        if self._chance.random() < self.faults:
            raise refusal(self._chance.choice((code, "InternalServerError")))


def refusal(code: str) -> ClientError:
    """Return what boto3 raises for an error code."""
    return ClientError({"Error": {"Code": code, "Message": "of the test"}, "ResponseMetadata": {}}, "operation")  # type: ignore[typeddict-item]


def record_of(
    sequence: str, before: dict[str, Any] | None, after: dict[str, Any] | None, now: float = 0.0
) -> dict[str, Any]:
    """Return a stream record of one write, as GetRecords gives it; both images are items as writers write them."""
    images: dict[str, Any] = {"SequenceNumber": sequence, "ApproximateCreationDateTime": now}
    if before is not None:
        images["OldImage"] = before
    if after is not None:
        images["NewImage"] = after
    name = "REMOVE" if after is None else "INSERT" if before is None else "MODIFY"
    return {"eventID": sequence, "eventName": name, "dynamodb": images}
