"""The two tables as Headway needs them: how they are made, and what is wrong with one that does not fit."""

from typing import Any

from botocore.exceptions import ClientError

from streams.errors import TableUnfit

USER_JOBS_INDEX = "UserJobsIndex"
STREAM_VIEW = "NEW_AND_OLD_IMAGES"


def create_tables(client: Any, jobs: str, leases: str) -> list[str]:
    """Create the jobs table and the leases table where they are missing; return a line for each that says what was done.

    Raises TableUnfit where a jobs table exists that Headway cannot follow.
    """
    lines = [
        _create(client, jobs_schema(jobs), ttl_attribute="ttl"),
        _create(client, leases_schema(leases), ttl_attribute=None),
    ]
    check_jobs_table(client.describe_table(TableName=jobs)["Table"])
    return lines


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


def jobs_schema(name: str) -> dict[str, Any]:
    """CreateTable parameters of the jobs table."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "job_id", "AttributeType": "S"},
            {"AttributeName": "user_id", "AttributeType": "S"},
            {"AttributeName": "created_at", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "job_id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": USER_JOBS_INDEX,
                "KeySchema": [
                    {"AttributeName": "user_id", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": STREAM_VIEW},
    }


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
