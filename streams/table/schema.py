"""The two tables as Headway needs them: how they are made, and what is wrong with one that does not fit."""

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from streams.errors import TableUnfit
from streams.table.indexes import STATUS_KEYS, USER_JOBS_INDEX, USER_STATUS_INDEX, StatusIndex

STREAM_VIEW = "NEW_AND_OLD_IMAGES"


def create_tables(client: Any, jobs: str, leases: str) -> list[str]:
    """Create the jobs table and the leases table where they are missing; return a line for each that says what was done.

    Raises TableUnfit where a jobs table exists that Headway cannot follow.
    """
    lines = [
        _create_jobs(client, jobs),
        _create(client, leases_schema(leases), ttl_attribute="ttl"),
    ]
    description = client.describe_table(TableName=jobs)["Table"]
    check_jobs_table(description)
    return [*lines, f"table {jobs}: {USER_STATUS_INDEX}: {status_index(description).value}"]


def check_jobs_table(description: dict[str, Any]) -> str:
    """Return the ARN of the table's stream; raises TableUnfit, in one line, where the table does not fit."""
    name = description["TableName"]
    stream = description.get("StreamSpecification", {})
    if not stream.get("StreamEnabled"):
        raise TableUnfit(f"table {name}: its stream is off; enable it with view type {STREAM_VIEW}")
    if stream.get("StreamViewType") != STREAM_VIEW:
        raise TableUnfit(f"table {name}: its stream shows {stream.get('StreamViewType')}; Headway needs {STREAM_VIEW}")
    indexes = {index["IndexName"] for index in description.get("GlobalSecondaryIndexes", ())}
    if USER_JOBS_INDEX not in indexes:
        raise TableUnfit(f"table {name}: it has no index {USER_JOBS_INDEX} (user_id, created_at; projection ALL)")
    return str(description["LatestStreamArn"])


def status_index(description: dict[str, Any]) -> StatusIndex:
    """Return what a described table offers for queries by status; an index that is still being filled is none."""
    for index in description.get("GlobalSecondaryIndexes", ()):
        is_ready = index.get("IndexStatus", "ACTIVE") == "ACTIVE" and not index.get("Backfilling")
        if index["IndexName"] == USER_STATUS_INDEX and is_ready and index["Projection"]["ProjectionType"] == "ALL":
            keys = [(key["KeyType"], key["AttributeName"]) for key in index["KeySchema"]]
            return next((kind for kind, wanted in STATUS_KEYS.items() if keys == wanted), StatusIndex.NONE)
    return StatusIndex.NONE


def jobs_schema(name: str, index: StatusIndex = StatusIndex.NONE) -> dict[str, Any]:
    """CreateTable parameters of the jobs table."""
    indexes = [_index(USER_JOBS_INDEX, [("HASH", "user_id"), ("RANGE", "created_at")])]
    indexes += [_index(USER_STATUS_INDEX, keys) for kind, keys in STATUS_KEYS.items() if kind is index]
    attributes = {"job_id": "S", "user_id": "S", "created_at": "N"}
    if index is not StatusIndex.NONE:
        attributes["status"] = "S"
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
        "KeySchema": [{"AttributeName": "job_id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": indexes,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": STREAM_VIEW},
    }


def _index(name: str, keys: Iterable[tuple[str, str]]) -> dict[str, Any]:
    schema = [{"AttributeName": attribute, "KeyType": kind} for kind, attribute in keys]
    return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}


def leases_schema(name: str) -> dict[str, Any]:
    """CreateTable parameters of the leases table: one item per stream and shard."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "stream", "AttributeType": "S"},
            {"AttributeName": "shard", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "stream", "KeyType": "HASH"},
            {"AttributeName": "shard", "KeyType": "RANGE"},
        ],
    }


def _create_jobs(client: Any, name: str) -> str:
    """Make the table with the best index for status that the engine takes: DynamoDB Local takes two keys at most."""
    for index in (StatusIndex.ORDERED, StatusIndex.PLAIN, StatusIndex.NONE):
        try:
            return _create(client, jobs_schema(name, index), ttl_attribute="ttl")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException" or index is StatusIndex.NONE:
                raise
    raise AssertionError("unreachable")


def _create(client: Any, schema: dict[str, Any], ttl_attribute: str | None) -> str:
    name = schema["TableName"]
    try:
        client.create_table(**schema)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
        return f"table {name}: it exists already, nothing was changed"
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    if ttl_attribute:
        client.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl_attribute}
        )
    return f"table {name}: created"
