"""The parts of the relay fleet on real engines: leases, parked records, metrics, the Lambda function."""

import asyncio
import os
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
from msgspec import json
from msgspec.structs import replace

from streams.channel.channel import Outcome
from streams.feed.feed import epoch_of
from streams.feed.lease import Checkpoint, Lease
from streams.feed.leases import Leases
from streams.feed.parked import Parked, ParkedRecords
from streams.jobs.change import Change
from streams.jobs.job import Job
from streams.jobs.state import Version, deletion_of, state_of
from streams.settings import settings_from
from tests.support.counting_proxy import counting_proxy
from tests.support.stack import Stack, typed
from tests.support.within import channel, tables, until_stored
from tests.workers.fleet.fake_stream import record_of
from workers.aws_lambda import Function
from workers.demo.engines import free_port

ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/jobs/stream/2026-11-23T02:52:23.167"


@pytest.fixture(autouse=True)
def _environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore finds credentials where it always does."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)


async def test_only_who_knows_owner_and_counter_can_write_a_lease(stack: Stack) -> None:
    async with tables(stack) as connected:
        leases = Leases(connected, stack.leases, "stream")
        first = Lease("shard", "a", 1, Checkpoint("7", gap=True), caught_up=True)
        assert await leases.swap(None, first)
        assert not await leases.swap(None, Lease("shard", "b", 1))
        assert not await leases.swap(replace(first, counter=0), Lease("shard", "b", 1))
        assert not await leases.swap(replace(first, owner="c"), Lease("shard", "b", 2))
        free = Lease("shard", None, 2, Checkpoint("8", done=True))
        assert await leases.swap(first, free)
        assert not await leases.swap(replace(free, owner="a"), Lease("shard", "a", 3))
        now = await leases.get("shard")
        assert now
        assert replace(now, written_at=0) == free
        assert abs(now.written_at - time.time()) < 60
        assert await leases.swap(now, Lease("shard", "b", 3))


async def test_a_stream_without_leases_is_told_from_a_table_that_was_never_followed(stack: Stack) -> None:
    older, newer = f"{ARN[:-1]}6", f"{ARN[:-1]}8"
    other = ARN.replace("table/jobs/", "table/jobs-of-others/")
    async with tables(stack) as connected:
        leases = Leases(connected, stack.leases, ARN)
        await Leases(connected, stack.leases, other).swap(None, Lease("shard", "a", 1))
        await ParkedRecords(connected, stack.leases, older).park(Parked("shard", "1", "reason", b"{}"))
        assert not await leases.succeed_others()
        await Leases(connected, stack.leases, older).swap(None, Lease("shard", "a", 1))
        assert await leases.succeed_others()
        await leases.swap(None, Lease("shard", "a", 1))
        assert not await leases.succeed_others()
        assert await Leases(connected, stack.leases, newer).succeed_others()


async def test_all_leases_of_a_stream_are_read_and_no_others(stack: Stack) -> None:
    async with tables(stack) as connected:
        leases = Leases(connected, stack.leases, "stream")
        for number in range(5):
            assert await leases.swap(None, Lease(f"shard {number}", "a", 1))
        await Leases(connected, stack.leases, "another stream").swap(None, Lease("shard 9", "a", 1))
        await ParkedRecords(connected, stack.leases, "stream").park(Parked("shard 1", "5", "reason", b"{}"))
        read = await leases.load()
        assert sorted(read) == [f"shard {number}" for number in range(5)]
        await leases.forget(replace(read["shard 0"], counter=7))
        await leases.forget(read["shard 1"])
        assert sorted(await leases.load()) == ["shard 0", "shard 2", "shard 3", "shard 4"]


async def test_parked_records_are_kept_whole_until_removed(stack: Stack) -> None:
    async with tables(stack) as connected:
        parked = ParkedRecords(connected, stack.leases, "stream")
        large = Parked("shard", "1", "too large to keep", os.urandom(500_000))
        small = Parked("shard", "2", "no status", b'{"some": "record"}')
        for record in (large, small, small):
            await parked.park(record)
        kept = [record async for record in parked.all()]
        assert [replace(record, at=0) for record in kept] == [replace(large, raw=b""), small]
        await parked.remove(kept[0])
        assert [record.sequence async for record in parked.all()] == ["2"]


async def test_what_a_paused_worker_publishes_after_another_took_its_shard_moves_nothing(
    stack: Stack, user: str
) -> None:
    def change(number: int) -> Change:
        job = Job(job_id="job", user_id=user, status="processing", created_at=1, updated_at=1, scenes_completed=number)
        return Change(user, state_of(job, Version(1, number)))

    async with channel(stack) as paused, channel(stack) as successor:
        assert await paused.publish([change(1)]) == [Outcome.PUBLISHED]
        assert await successor.publish([change(2), change(3)]) == [Outcome.PUBLISHED] * 2
        assert await paused.publish([change(2), change(3)]) == [Outcome.OLDER, Outcome.REPEATED]
        [stored] = await successor.latest([(user, "job")])
        assert stored.data == change(3).state.data


def workers(stack: Stack, *arguments: str) -> str:
    """Run a command of the workers to its end, and return what it printed."""
    command = [sys.executable, "-m", "workers", *arguments]
    environment = os.environ | stack.environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout


async def test_poison_is_parked_and_the_rest_flows_on_and_can_be_replayed(stack: Stack, user: str) -> None:
    stack.start_relay()
    poison = typed({"job_id": "poison", "user_id": user, "updated_at": 1})
    await asyncio.to_thread(stack.client.put_item, TableName=stack.table, Item=poison)
    await asyncio.to_thread(stack.put, "job", user)
    async with channel(stack) as connected:
        await until_stored(connected, user, "job")
        printed = await asyncio.to_thread(workers, stack, "parked")
        assert "'poison': status is missing" in printed
        assert "1 parked record(s)" in printed
        assert "stays parked" in await asyncio.to_thread(workers, stack, "parked", "--replay")
        await park_readable(stack, user)
        assert "replayed: published" in await asyncio.to_thread(workers, stack, "parked", "--replay")
        await until_stored(connected, user, "readable")
    assert "1 parked record(s)" in await asyncio.to_thread(workers, stack, "parked")


async def test_a_job_whose_record_was_parked_comes_back_with_its_replay(stack: Stack, user: str) -> None:
    """Its watchers were told that it is gone, by a state of the parked record's own version."""
    job = typed({"job_id": "readable", "user_id": user, "status": "pending", "created_at": 1, "updated_at": 1})
    epoch = epoch_of(stack.client.describe_table(TableName=stack.table)["Table"]["LatestStreamLabel"])
    async with channel(stack) as connected:
        gone = Change(user, deletion_of("readable", 1, Version(epoch, 7)))
        assert await connected.publish([gone]) == [Outcome.PUBLISHED]
        await park_readable(stack, user)
        assert "replayed: published" in await asyncio.to_thread(workers, stack, "parked", "--replay")
        [stored] = await connected.latest([(user, "readable")])
    assert stored.status == job["status"]["S"]


async def park_readable(stack: Stack, user: str) -> None:
    """Park a record that the code of today can read."""
    job = typed({"job_id": "readable", "user_id": user, "status": "pending", "created_at": 1, "updated_at": 1})
    arn = stack.client.describe_table(TableName=stack.table)["Table"]["LatestStreamArn"]
    async with tables(stack) as connected:
        record = Parked("shard", "7", "could not be read", json.encode(record_of("7", None, job)))
        await ParkedRecords(connected, stack.leases, arn).park(record)


def test_the_relay_tells_how_it_is(stack: Stack, user: str) -> None:
    port = free_port()
    stack.start("relay", "workers", "relay", HEADWAY_METRICS_PORT=str(port)).until_listening(port)
    url = f"http://127.0.0.1:{port}"
    stack.put("job", user)
    wait_for(lambda: 'headway_changes_total{outcome="published"} 1.0' in httpx.get(f"{url}/metrics").text)
    told = httpx.get(f"{url}/metrics").text
    for name in (
        "headway_records_read_total 1.0",
        "headway_records_unchanged_total 0.0",
        "headway_records_parked_total 0.0",
        'headway_changes_total{outcome="older"} 0.0',
        "headway_leases_held 1.0",
        "headway_polls_total ",
        "headway_lag_seconds{shard=",
    ):
        assert name in told
    assert httpx.get(f"{url}/health/live").status_code == 200
    assert httpx.get(f"{url}/health/ready").text == "ready\n"
    stack.redis.stop()
    wait_for(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
    assert httpx.get(f"{url}/health/ready").text == "Redis does not answer\n"
    stack.put("job", user, status="completed")
    wait_for(lambda: 'headway_errors_total{kind="ChannelUnavailable"}' in httpx.get(f"{url}/metrics").text)
    stack.start_redis()
    wait_for(lambda: httpx.get(f"{url}/health/ready").status_code == 200)


def lag_at(port: int) -> float:
    told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    lags = [line.rpartition(" ")[2] for line in told.splitlines() if line.startswith("headway_lag_seconds{")]
    return max(map(float, lags), default=-1)


def test_the_lag_grows_while_redis_is_away(stack: Stack, user: str) -> None:
    port = free_port()
    stack.start_relay(HEADWAY_METRICS_PORT=str(port))
    stack.put("job", user)
    wait_for(lambda: lag_at(port) == 0)
    stack.redis.stop()
    stack.put("job", user, status="completed")
    wait_for(lambda: lag_at(port) > 4)
    stack.start_redis()
    wait_for(lambda: lag_at(port) == 0)


async def test_the_lag_grows_while_the_stream_cannot_be_read(stack: Stack) -> None:
    port = free_port()
    async with counting_proxy(stack.aws["AWS_ENDPOINT_URL"]) as (url, _):
        stack.start_relay(HEADWAY_METRICS_PORT=str(port), AWS_ENDPOINT_URL_DYNAMODB_STREAMS=url)
        await asyncio.to_thread(wait_for, lambda: lag_at(port) == 0)
    await asyncio.to_thread(wait_for, lambda: lag_at(port) > 4)


def test_a_second_relay_stands_by_and_is_ready(stack: Stack) -> None:
    ports = [free_port(), free_port()]
    for port in ports:
        stack.start("relay", "workers", "relay", HEADWAY_METRICS_PORT=str(port)).until_listening(port)
    for port in ports:
        wait_for(lambda port=port: httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200)
    urls = [f"http://127.0.0.1:{port}/metrics" for port in ports]
    wait_for(lambda: sum("headway_leases_held 1.0" in httpx.get(url).text for url in urls) == 1)


def wait_for(condition: Any, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def lambda_event(user: str, *images: dict[str, Any]) -> dict[str, Any]:
    """Return an event as AWS gives it to a function that a table's stream triggers."""
    return {
        "Records": [
            {
                "eventID": f"c4ca4238a0b923820dcc509a6f75849{number}",
                "eventName": "INSERT",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": "eu-central-1",
                "dynamodb": {
                    "ApproximateCreationDateTime": 1795402343,
                    "Keys": {"job_id": {"S": f"job {number}"}},
                    "NewImage": typed({"job_id": f"job {number}", "user_id": user}) | image,
                    "SequenceNumber": f"442158450000000001745043909{number}",
                    "SizeBytes": 26,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
                "eventSourceARN": ARN,
            }
            for number, image in enumerate(images)
        ]
    }


JOB = typed({"status": "processing", "created_at": 1, "updated_at": 2})


@pytest.fixture
def function(stack: Stack) -> Function:
    return Function(settings_from(stack.environment))


async def test_the_lambda_function_publishes_and_parks_as_the_fleet_does(
    stack: Stack, function: Function, user: str
) -> None:
    event = lambda_event(user, JOB, {"metadata": {"B": "AAEC"}}, JOB)
    assert await function.relay(event) == {"batchItemFailures": []}
    async with channel(stack) as redis, tables(stack) as connected:
        [first, third] = await redis.latest([(user, f"job {number}") for number in range(3)])
        assert str(first.version) == "1795402343167-4421584500000000017450439090"
        assert third.job_id == "job 2"
        parked = [record async for record in ParkedRecords(connected, stack.leases, ARN).all()]
        assert [record.sequence for record in parked] == ["4421584500000000017450439091"]
    await function.close()


async def test_the_lambda_function_asks_for_the_rest_again_while_redis_is_away(
    stack: Stack, function: Function, user: str
) -> None:
    stack.redis.stop()
    event = lambda_event(user, JOB, JOB)
    answer = await function.relay(event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "4421584500000000017450439090"}]}
    await asyncio.to_thread(stack.start_redis)
    assert await function.relay(event) == {"batchItemFailures": []}
    assert await function.relay({"Records": []}) == {"batchItemFailures": []}
    await function.close()
