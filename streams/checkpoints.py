"""How far each shard was relayed, kept in the leases table."""

from typing import Any

from msgspec import Raw, Struct, field, json

from streams.dynamodb import DynamoDB
from streams.item import Attribute


class Checkpoint(Struct, frozen=True):
    """Everything up to this sequence number was published; `done` where the shard was read to its end."""

    sequence: str | None = None
    done: bool = False


START = Checkpoint()


class _Flag(Struct, frozen=True):
    is_set: bool = field(name="BOOL", default=False)


class _Row(Struct, frozen=True):
    shard: Attribute
    sequence: Attribute | None = None
    done: _Flag | None = None


class _Rows(Struct, frozen=True, rename="pascal"):
    items: list[_Row]
    last_evaluated_key: Raw | None = None


class _Nothing(Struct, frozen=True):
    pass


class Checkpoints:
    """The checkpoints of one stream; every call raises TableUnavailable where another try may succeed."""

    def __init__(self, dynamodb: DynamoDB, table: str, stream_arn: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._stream = {"S": stream_arn}

    async def load(self) -> dict[str, Checkpoint]:
        """Return the checkpoints of all shards ever saved, by shard id (a consistent read)."""
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "#stream = :stream",
            "ExpressionAttributeNames": {"#stream": "stream"},
            "ExpressionAttributeValues": {":stream": self._stream},
        }
        checkpoints: dict[str, Checkpoint] = {}
        while True:
            rows = await self._dynamodb.call("query", _Rows, **parameters)
            checkpoints.update({row.shard.s or "": _checkpoint(row) for row in rows.items})
            if rows.last_evaluated_key is None:
                return checkpoints
            parameters["ExclusiveStartKey"] = json.decode(rows.last_evaluated_key)

    async def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Remember how far a shard was relayed."""
        item: dict[str, Any] = {"stream": self._stream, "shard": {"S": shard_id}, "done": {"BOOL": checkpoint.done}}
        if checkpoint.sequence is not None:
            item["sequence"] = {"S": checkpoint.sequence}
        await self._dynamodb.call("put_item", _Nothing, TableName=self._table, Item=item)


def _checkpoint(row: _Row) -> Checkpoint:
    return Checkpoint(row.sequence.s if row.sequence else None, bool(row.done and row.done.is_set))
