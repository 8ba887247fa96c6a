"""What `create-table` makes, and what is told of a table that does not fit."""

import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest

from streams.table.schema import jobs_schema
from tests.support.stack import Stack, boto_client


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run(
        [sys.executable, "-m", *command], env=given, capture_output=True, text=True, timeout=60, check=False
    )


def create_table(aws: dict[str, str], name: str) -> subprocess.CompletedProcess[str]:
    names = {"HEADWAY_TABLE": name, "HEADWAY_LEASES_TABLE": f"{name}-leases"}
    return run("streams", "create-table", **aws, **names)


@pytest.fixture
def name() -> str:
    return f"jobs-{uuid4().hex[:8]}"


def test_create_table_makes_both_tables_and_is_harmless_when_they_exist(aws: dict[str, str], name: str) -> None:
    first, second = create_table(aws, name), create_table(aws, name)
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.count(": created") == 2
    assert second.stdout.count("exists already") == 2
    client = boto_client("dynamodb", aws)
    table = client.describe_table(TableName=name)["Table"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert "UserJobsIndex" in [index["IndexName"] for index in table["GlobalSecondaryIndexes"]]
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "ttl")


def without_stream(schema: dict[str, Any]) -> None:
    del schema["StreamSpecification"]


def with_keys_only(schema: dict[str, Any]) -> None:
    schema["StreamSpecification"]["StreamViewType"] = "KEYS_ONLY"


def without_index(schema: dict[str, Any]) -> None:
    del schema["GlobalSecondaryIndexes"]
    schema["AttributeDefinitions"] = schema["AttributeDefinitions"][:1]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(without_stream, "its stream is off"), (with_keys_only, "KEYS_ONLY"), (without_index, "UserJobsIndex")],
)
@pytest.mark.parametrize("command", [("streams", "create-table"), ("workers", "relay")])
def test_a_table_that_does_not_fit_is_told_in_one_line(
    aws: dict[str, str], name: str, spoil: Any, told: str, command: tuple[str, ...]
) -> None:
    schema = jobs_schema(name)
    spoil(schema)
    boto_client("dynamodb", aws).create_table(**schema)
    answer = run(*command, **aws, HEADWAY_TABLE=name, HEADWAY_LEASES_TABLE=f"{name}-leases")
    assert answer.returncode == 1
    [line] = answer.stderr.strip().splitlines()
    assert name in line
    assert told in line


def test_a_relay_without_a_table_says_how_to_make_one(aws: dict[str, str], name: str) -> None:
    answer = run("workers", "relay", **aws, HEADWAY_TABLE=name)
    assert answer.returncode == 1
    assert "python -m streams create-table" in answer.stderr


@pytest.mark.parametrize(
    ("command", "variable", "value"),
    [
        ("api", "HEADWAY_PORT", "eighty"),
        ("api", "HEADWAY_REDIS_URL", "http://redis"),
        ("workers relay", "HEADWAY_METRICS_PORT", "99999"),
        ("api", "HEADWAY_AUTH_SECRET", ""),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(command: str, variable: str, value: str) -> None:
    answer = run(*command.split(), AWS_REGION="us-east-1", **{variable: value})
    assert answer.returncode == 1
    [line] = answer.stderr.strip().splitlines()
    assert variable in line


def test_the_dev_user_is_refused_where_others_can_reach_it() -> None:
    answer = run("api", AWS_REGION="us-east-1", HEADWAY_DEV_USER="dev", HEADWAY_HOST="0.0.0.0")
    assert answer.returncode == 1
    assert "HEADWAY_DEV_USER" in answer.stderr


async def test_what_is_no_job_is_skipped_and_the_rest_flows_on(stack: Stack, user: str) -> None:
    from tests.engine.test_streams import put, watching  # noqa: PLC0415

    api = stack.start_api()
    stack.start_relay()
    async with watching(api, "/jobs/events", user) as watcher:
        await watcher.until(lambda told: "live" in [event.event for event in told.events])
        stack.client.put_item(TableName=stack.table, Item={"job_id": {"S": "nobody's"}})
        stack.put("no status", user, status=None)
        stack.put("text for a number", user, scenes_completed="many")
        await put(stack, "good", user, 20, "completed")
        await watcher.until(lambda told: {"good"} <= {state["job_id"] for state in told.states})
    assert {state["job_id"] for state in watcher.states} == {"text for a number", "good"}
