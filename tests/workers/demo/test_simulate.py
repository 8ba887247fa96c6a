import argparse
import asyncio
import uuid
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from structlog.testing import capture_logs

from tests.support.stack import boto_client
from workers.demo.engines import free_port, local_aws
from workers.demo.simulate import Options, add_arguments, options_from, simulate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient


@pytest.fixture
def client(aws: dict[str, str]) -> "DynamoDBClient":
    client: DynamoDBClient = boto_client("dynamodb", aws)
    return client


@pytest.fixture
def table(client: "DynamoDBClient") -> str:
    name = f"jobs-{uuid.uuid4().hex}"
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return name


def plain(item: Any) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def items(client: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    return [plain(item) for item in client.scan(TableName=table, ConsistentRead=True)["Items"]]


def histories(streams: "DynamoDBStreamsClient", client: "DynamoDBClient", table: str) -> list[list[dict[str, Any]]]:
    """Every state of every job, as the table's change stream tells them."""
    arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    found = defaultdict[str, list[dict[str, Any]]](list)
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        begin = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        iterator: str | None = begin["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                state = plain(record["dynamodb"]["NewImage"])
                found[state["job_id"]].append(state)
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return list(found.values())


async def test_jobs_run_on_a_real_table_to_their_end(
    aws: dict[str, str], client: "DynamoDBClient", table: str, tmp_path: Path
) -> None:
    options = Options(users=("ann", "bob"), pace=0.02, failures=0.3, seed=7, count=12, media=tmp_path)
    await simulate(client, table, options, asyncio.Event())
    jobs = histories(boto_client("dynamodbstreams", aws), client, table)
    assert len(jobs) == 12
    for states in jobs:
        times = [state["updated_at"] for state in states]
        assert times == sorted(times)
        assert states[0]["status"] == "pending"
        assert [state["status"] in ("completed", "failed") for state in states].count(True) == 1
        assert states[-1] in items(client, table)
    assert {states[-1]["status"] for states in jobs} == {"completed", "failed"}
    assert {states[-1]["user_id"] for states in jobs} == {"ann", "bob"}


async def test_every_url_leads_to_a_file_from_the_moment_it_is_on_the_table(
    client: "DynamoDBClient", table: str, tmp_path: Path
) -> None:
    media = tmp_path / "made" / "here"
    options = Options(pace=0.03, failures=0, seed=3, count=6, media=media, media_url="/pictures/")
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(simulate(client, table, options, asyncio.Event()))
        while not playing.done():
            for item in await asyncio.to_thread(items, client, table):
                assert named_files(item, media) <= files_in(media / item["job_id"])
    for item in items(client, table):
        assert named_files(item, media) == files_in(media / item["job_id"])


def named_files(item: dict[str, Any], media: Path) -> set[Path]:
    urls = {item[name] for name in ("thumbnail_url", "audio_url", "video_url") if name in item}
    return {media / url.removeprefix("/pictures/") for url in urls.union(item.get("scene_video_urls", ()))}


def files_in(directory: Path) -> set[Path]:
    return {path for path in directory.glob("*") if not path.name.startswith(".")}


async def test_the_oldest_finished_jobs_go_and_their_pictures_with_them(
    client: "DynamoDBClient", table: str, tmp_path: Path
) -> None:
    options = Options(jobs=2, pace=0.01, seed=3, count=7, keep=2, media=tmp_path)
    await simulate(client, table, options, asyncio.Event())
    left = {item["job_id"] for item in items(client, table)}
    assert len(left) == 2
    assert {path.name for path in files_in(tmp_path)} <= left


async def test_without_a_directory_nothing_is_written_and_urls_are_only_names(
    client: "DynamoDBClient", table: str
) -> None:
    await simulate(client, table, Options(pace=0.01, failures=0, count=1), asyncio.Event())
    (item,) = items(client, table)
    assert item["video_url"] == f"https://media.example/{item['job_id']}/video.mp4"


async def test_stopping_leaves_no_job_unfinished(client: "DynamoDBClient", table: str) -> None:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(simulate(client, table, Options(jobs=3, pace=0.5, failures=0), stopping))
        while sum(item["status"] == "processing" for item in await asyncio.to_thread(items, client, table)) < 2:
            pass
        stopping.set()
    left = items(client, table)
    assert len(left) == 3
    assert {item["status"] for item in left} == {"failed"}
    assert {item["error_message"] for item in left} == {"The pipeline was stopped before this job was done"}


async def test_a_job_that_somebody_deletes_does_not_come_back(client: "DynamoDBClient", table: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        options = Options(jobs=1, pace=0.2, failures=0, count=1)
        tasks.create_task(simulate(client, table, options, asyncio.Event()))
        while not (found := await asyncio.to_thread(items, client, table)):
            pass
        client.delete_item(TableName=table, Key={"job_id": {"S": found[0]["job_id"]}})
    assert items(client, table) == []


async def test_a_table_that_does_not_exist_is_told(client: "DynamoDBClient") -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        await simulate(client, "nowhere", Options(), asyncio.Event())


async def test_stopping_is_heard_while_the_table_is_away() -> None:
    stopping, away = asyncio.Event(), boto_client("dynamodb", local_aws(free_port()), attempts=1)
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(simulate(away, "jobs", Options(jobs=2), stopping))
            while not logs:
                await asyncio.to_thread(lambda: None)
            stopping.set()
    assert (logs[0]["event"], logs[0]["operation"]) == ("retrying", "write job")


def parsed(*line: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(line))


def test_an_empty_command_line_asks_for_the_defaults() -> None:
    assert parsed("--seed", "1") == Options(seed=1)
    assert parsed().seed != parsed().seed


def test_a_command_line_can_ask_for_everything(tmp_path: Path) -> None:
    line = [
        "--jobs",
        "3",
        "--pace",
        "0.02",
        "--failures",
        "0",
        "--seed",
        "9",
        "--count",
        "5",
        "--keep",
        "7",
        "--users",
        "ann,bob",
        "--media-url",
        "/m",
        "--media",
    ]
    assert parsed(*line, str(tmp_path)) == Options(
        jobs=3, pace=0.02, failures=0, seed=9, count=5, keep=7, users=("ann", "bob"), media=tmp_path, media_url="/m"
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("--jobs", "0", "'0' is not a whole number of at least 1"),
        ("--jobs", "many", "'many' is not a whole number of at least 1"),
        ("--pace", "0", "'0' is not a number of seconds above 0"),
        ("--pace", "inf", "'inf' is not a number of seconds above 0"),
        ("--failures", "1.1", "'1.1' is not a share from 0 to 1"),
        ("--failures", "nan", "'nan' is not a share from 0 to 1"),
        ("--users", "ann,,bob", "'ann,,bob' is not a list of user ids with commas between them"),
        ("--media", __file__, "is not a directory"),
    ],
)
def test_a_bad_value_is_told_in_one_line(capsys: pytest.CaptureFixture[str], name: str, value: str, told: str) -> None:
    with pytest.raises(SystemExit):
        parsed(name, value)
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {name}" in last
    assert told in last
